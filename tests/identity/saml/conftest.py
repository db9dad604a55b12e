"""An identity provider of the tests: honest metadata and responses, altered before or after it signs."""

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from tachograph.identity.proof import Proof
from tachograph.identity.saml.request import Attempt, Ourselves
from tachograph.identity.saml.service_provider import Chance, ServiceProvider, ourselves
from tachograph.identity.saml.vocabulary import ASSERTION, DS, PROTOCOL, ds, saml, samlp
from tachograph.schemas.identity_settings import SamlProvider

NOW = 1_900_000_000
URL = "https://console.test"
EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Change = Callable[[etree._Element], object]


def at(seconds: float) -> str:
    """A time as SAML writes it, from NOW on."""
    return f"{datetime.fromtimestamp(NOW + seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Signer(XMLSigner):
    """Signs with SHA-1 too, where it is asked to."""

    def check_deprecated_methods(self) -> None:
        pass


def certificate(key: Key, *, begins: float = -86400, ends: float = 86400) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.test")])
    now = datetime.fromtimestamp(NOW, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now + timedelta(seconds=begins))
        .not_valid_after(now + timedelta(seconds=ends))
        .sign(key, hashes.SHA256())
    )


RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())

HONEST: dict[str, Any] = {
    "issuer": "https://idp.test",
    "destination": f"{URL}/login/saml/back",
    "recipient": f"{URL}/login/saml/back",
    "audience": f"{URL}/login/saml/metadata",
    "status": "urn:oasis:names:tc:SAML:2.0:status:Success",
    "name": "ada@corp.test",
    "format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "method": "urn:oasis:names:tc:SAML:2.0:cm:bearer",
    "issued": at(0),
    "begins": at(-5),
    "ends": at(60),
    "brought": at(60),
    "logged_in": at(-1),
    "session": at(3600),
    "groups": ("reviewers", "ops"),
    "version": "2.0",
}


@dataclass
class Idp:
    """What it signs with, and how. `world` fits it to one login of one console."""

    key: Key = RSA
    certificates: list[x509.Certificate] = field(default_factory=lambda: [certificate(RSA)])
    algorithm: str = "rsa-sha256"
    digest: str = "sha256"

    def metadata(self, **changes: str) -> bytes:
        told = {"entity": "https://idp.test", "sso": "https://idp.test/sso", "more": "", "role": ""} | changes
        keys = "".join(
            f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>'
            f"{base64.encodebytes(each.public_bytes(serialization.Encoding.DER)).decode()}"
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for each in self.certificates
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<!-- by hand -->'
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
            f' entityID="{told["entity"]}" {told["more"]}><md:IDPSSODescriptor {told["role"]}'
            f' protocolSupportEnumeration="{PROTOCOL}">{keys}<md:SingleSignOnService'
            ' Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.test/post"/>'
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
            f' Location="{told["sso"]}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
        ).encode()

    def sign(self, element: etree._Element) -> etree._Element:
        signer = Signer(SignatureConstructionMethod.enveloped, self.algorithm, self.digest, EXCLUSIVE)
        return signer.sign(
            element, key=self.key, cert=[self.certificates[0]], reference_uri=f"#{element.get('ID')}"
        )

    def response(
        self,
        request_id: str,
        *,
        signs: str = "assertion",
        before: Change = lambda _: None,
        **changes: Any,
    ) -> etree._Element:
        """A response; `before` alters it before the assertion, the response, both or nothing is signed."""
        told = HONEST | {"asked": request_id} | changes
        root = etree.fromstring(_response(told))
        before(root)
        if signs in {"assertion", "both"}:
            assertion = root.find(saml("Assertion"))
            assert assertion is not None
            root.replace(assertion, self.sign(assertion))
        return self.sign(root) if signs in {"response", "both"} else root


_RESPONSE = f"""\
<samlp:Response xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="_response" Version="{{version}}"
 IssueInstant="{{issued}}" Destination="{{destination}}" InResponseTo="{{asked}}">
 <saml:Issuer>{{issuer}}</saml:Issuer>
 <samlp:Status><samlp:StatusCode Value="{{status}}"/></samlp:Status>
 <saml:Assertion ID="_assertion" Version="{{version}}" IssueInstant="{{issued}}">
  <saml:Issuer>{{issuer}}</saml:Issuer>
  <saml:Subject>
   <saml:NameID Format="{{format}}">{{name}}</saml:NameID>
   <saml:SubjectConfirmation Method="{{method}}">
    <saml:SubjectConfirmationData
     InResponseTo="{{asked}}" NotOnOrAfter="{{brought}}" Recipient="{{recipient}}"/>
   </saml:SubjectConfirmation>
  </saml:Subject>
  <saml:Conditions NotBefore="{{begins}}" NotOnOrAfter="{{ends}}">
   <saml:AudienceRestriction><saml:Audience>{{audience}}</saml:Audience></saml:AudienceRestriction>
  </saml:Conditions>
  <saml:AuthnStatement AuthnInstant="{{logged_in}}" SessionIndex="_s" SessionNotOnOrAfter="{{session}}"/>
  <saml:AttributeStatement><saml:Attribute Name="groups">{{values}}</saml:Attribute></saml:AttributeStatement>
 </saml:Assertion>
</samlp:Response>"""


def _response(told: dict[str, Any]) -> str:
    groups = "".join(f"<saml:AttributeValue>{group}</saml:AttributeValue>" for group in told["groups"])
    return _RESPONSE.format(**told, values=groups)


def _parts(root: etree._Element, where: str) -> tuple[etree._Element, etree._Element]:
    """A forger's copy of what is signed, in another's name, and the signature that is not its own."""
    signed = root if where == "response" else root.find(saml("Assertion"))
    assert signed is not None
    evil = copy.deepcopy(signed)
    evil.set("ID", "_evil")
    next(evil.iter(saml("NameID"))).text = "mallory@corp.test"
    signature = evil.find(ds("Signature"))
    assert signature is not None
    evil.remove(signature)
    return evil, signature


def _bare(element: etree._Element) -> etree._Element:
    """The signed element as it is digested: without its signature."""
    found = copy.deepcopy(element)
    for signature in found.findall(ds("Signature")):
        found.remove(signature)
    return found


def wrapped_response(root: etree._Element, *, inside: bool) -> etree._Element:
    """XSW 1 and 2: another response around the signed one, which hides in the signature or beside it."""
    evil, signature = _parts(root, "response")
    if inside:
        signature.append(_bare(root))
    else:
        evil.append(_bare(root))
    evil.append(signature)
    return evil


def wrapped_assertion(root: etree._Element, number: int, *, same_id: bool) -> etree._Element:
    """XSW 3 to 8: another assertion beside, around, or in the place of the signed one."""
    signed = root.find(saml("Assertion"))
    assert signed is not None
    evil, signature = _parts(root, "assertion")
    if same_id:
        evil.set("ID", signed.get("ID", ""))
    if number == 3:
        signed.addprevious(evil)
    elif number == 4:
        root.replace(signed, evil)
        evil.append(signed)
    elif number == 5:
        root.replace(signed, evil)
        evil.append(signature)
        root.append(_bare(signed))
    elif number == 6:
        root.replace(signed, evil)
        evil.append(signature)
        signature.append(_bare(signed))
    elif number == 7:
        etree.SubElement(root, samlp("Extensions")).append(evil)
    else:
        root.replace(signed, evil)
        evil.append(signature)
        etree.SubElement(signature, ds("Object")).append(_bare(signed))
    return root


def wrap(response: Callable[..., etree._Element], number: int, *, same_id: bool = False) -> etree._Element:
    """A good response of `response`, wrapped in one of the eight known ways, in mallory's name."""
    if number < 3:
        return wrapped_response(response(signs="response"), inside=number == 1)
    return wrapped_assertion(response(), number, same_id=same_id)


class Clock:
    """The wall and the monotonic clock, together."""

    def __init__(self) -> None:
        self.wall = float(NOW)
        self.monotonic = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


class World:
    """A console that knows the provider by a metadata file, and one login of it under way."""

    def __init__(self, idp: Idp, folder: Path, **rules: Any) -> None:
        self.idp = idp
        self.clock = Clock()
        self.file = folder / "idp.xml"
        self.file.write_bytes(idp.metadata())
        settings: dict[str, Any] = {
            "idp_metadata": "idp.xml",
            "idp_entity_id": "https://idp.test",
            "groups_attribute": "groups",
        }
        self.rules = SamlProvider(**settings | rules)
        self.ours: Ourselves = ourselves(self.rules, URL)
        self.folder = folder
        self._numbers = iter(range(1, 1000))
        self.provider = self.restarted()
        self.attempt: Attempt

    def restarted(self) -> ServiceProvider:
        """Another process of the same console."""
        chance = Chance(lambda: self.clock.wall, lambda: self.clock.monotonic, self._random)
        never = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
        return ServiceProvider(self.rules, self.ours, never, base=self.folder, chance=chance)

    def _random(self, count: int) -> bytes:
        return next(self._numbers).to_bytes(count, "big")

    async def begin(self) -> "World":
        self.attempt = await self.provider.begin()
        return self

    def response(self, **changes: Any) -> etree._Element:
        return self.idp.response(self.attempt.request_id, **changes)

    def wrapped(self, number: int, *, same_id: bool = False) -> etree._Element:
        return wrap(self.response, number, same_id=same_id)

    async def finish(self, response: "etree._Element | bytes | str") -> Proof:
        """Who came back with this."""
        data = response if isinstance(response, bytes | str) else etree.tostring(response)
        told = base64.b64encode(data).decode() if isinstance(data, bytes) else data
        form = {"SAMLResponse": told, "RelayState": self.attempt.relay_state}
        return await self.provider.finish(self.attempt, form)


@dataclass(frozen=True)
class Maker:
    """What the tests of this room make providers, keys and worlds with."""

    now: int = NOW
    url: str = URL
    key: Key = RSA
    other: Key = OTHER
    curve: Key = CURVE
    idp: Callable[..., Idp] = Idp
    world: Callable[..., World] = World
    certificate: Callable[..., x509.Certificate] = certificate
    at: Callable[[float], str] = at
    wrap: Callable[..., etree._Element] = wrap


@pytest.fixture(scope="session")
def make() -> Maker:
    return Maker()


@pytest.fixture
def idp() -> Idp:
    return Idp()
