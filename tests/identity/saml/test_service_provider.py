"""Forged assertions, one table: each is refused, with a reason that repeats nothing of it."""

import base64
import copy
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from lxml import etree

from tachograph.identity.errors import IssuerFailed, LoginRefused, Unproven
from tachograph.identity.saml.one_time import LOGIN_SECONDS
from tachograph.identity.saml.provider_metadata import ASK_SECONDS
from tachograph.identity.saml.response import MAX_RESPONSE_BYTES
from tachograph.identity.saml.vocabulary import ASSERTION, DS, PROTOCOL, saml
from tachograph.schemas.event import PrincipalKind


async def test_a_good_response_names_its_principal(make: Any, idp: Any, tmp_path: Path) -> None:
    """Signature, addressee, request and time hold: the subject is who it is, in its groups, until its end."""
    world = await make.world(idp, tmp_path).begin()
    proof = await world.finish(world.response())
    principal = proof.principal
    assert (principal.id, principal.kind, principal.issuer) == (
        "ada@corp.test",
        PrincipalKind.SAML,
        "https://idp.test",
    )
    assert (proof.groups, proof.expires) == ({"reviewers", "ops"}, make.now + 3600 + 30)


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
@pytest.mark.parametrize("key", ["key", "curve"])
async def test_either_signature_is_enough(make: Any, idp: Any, tmp_path: Path, signs: str, key: str) -> None:
    """The assertion may be signed, or the response around it, or both; with RSA or on a NIST curve."""
    idp.key = getattr(make, key)
    idp.algorithm = "rsa-sha512" if key == "key" else "ecdsa-sha256"
    idp.certificates = [make.certificate(make.other), make.certificate(idp.key)]
    world = await make.world(idp, tmp_path).begin()
    assert (await world.finish(world.response(signs=signs))).principal.id == "ada@corp.test"


Change = Callable[[Any], Any]
NAMES = {"a": ASSERTION, "p": PROTOCOL, "d": DS}


def _set(path: str, value: str, name: str | None = None) -> Change:
    """Give the one element at `path` this text, or this attribute."""

    def change(root: etree._Element) -> None:
        (found,) = root.findall(path, NAMES)
        if name is None:
            found.text = value
        else:
            found.set(name, value)

    return change


def _drop(path: str, name: str | None = None) -> Change:
    def change(root: etree._Element) -> None:
        (found,) = root.findall(path, NAMES)
        if name is not None:
            del found.attrib[name]
        else:
            parent = found.getparent()
            assert parent is not None
            parent.remove(found)

    return change


def _twice(path: str) -> Change:
    def change(root: etree._Element) -> None:
        (found,) = root.findall(path, NAMES)
        found.addnext(copy.deepcopy(found))

    return change


def _within(path: str, inner: str) -> Change:
    def change(root: etree._Element) -> None:
        (found,) = root.findall(path, NAMES)
        found.append(etree.fromstring(inner))

    return change


def honest(**changes: Any) -> Change:
    """Signed by the provider itself, and not for us, not now, or not so."""
    return lambda world: world.response(**changes)


def altered(change: Change, **changes: Any) -> Change:
    """Altered after it was signed."""

    def make(world: Any) -> etree._Element:
        root = world.response(**changes)
        change(root)
        return root

    return make


def rewritten(old: str, new: str, **changes: Any) -> Change:
    """Another text of it on its way."""

    def make(world: Any) -> bytes:
        text = etree.tostring(world.response(**changes)).decode()
        assert old in text
        return text.replace(old, new, 1).encode()

    return make


WRAPPED: dict[str, Change] = {
    **{f"XSW {number}": lambda world, n=number: world.wrapped(n) for number in range(1, 9)},
    "XSW 3 under one id": lambda world: world.wrapped(3, same_id=True),
    "XSW 7 under one id": lambda world: world.wrapped(7, same_id=True),
}


def by(**changes: Any) -> Change:
    """Signed by somebody else, or in another way; the metadata stay as they are."""

    def make(world: Any) -> etree._Element:
        metadata = world.idp.metadata()
        for name, value in changes.items():
            setattr(world.idp, name, value(world) if callable(value) else value)
        root = world.response()
        assert world.file.read_bytes() == metadata
        return root

    return make


def _comment(text: str) -> Change:
    return rewritten("ada@corp.test", text, name="ada@corp.test.evil.test")


DATA = ".//a:SubjectConfirmationData"
TRANSFORMS = ".//d:Transforms"
XSLT = (
    '<ds:Transform xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '
    'Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0" '
    'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    "<xsl:copy-of select=\"document('file:///etc/passwd')\"/></xsl:template></xsl:stylesheet></ds:Transform>"
)
ENTITIES = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><samlp:Response'
)
EXTERNAL = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><samlp:Response'
REMOTE = '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd"><samlp:Response'
ENCRYPTED = '<a:EncryptedAssertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>'
ROOT = '<a:Attribute xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" Name="groups"><a:AttributeValue>root</a:AttributeValue></a:Attribute>'  # noqa: E501  one element

FORGED: dict[str, tuple[Change, str]] = {
    **{name: (make, "one response with one assertion|where none belongs") for name, make in WRAPPED.items()},
    # the signature
    "not signed at all": (honest(signs="none"), "not signed"),
    "signature taken out": (altered(_drop(".//d:Signature")), "not signed"),
    "signature without a value": (altered(_set(".//d:SignatureValue", "")), "does not verify"),
    "name altered": (altered(_set(".//a:NameID", "root@corp.test")), "does not verify"),
    "group added": (altered(_within(".//a:AttributeStatement", ROOT)), "does not verify"),
    "digest altered": (altered(_set(".//d:DigestValue", "AAAA")), "does not verify"),
    "another's key": (by(key=lambda w: w.other), "does not verify"),
    "another's key, its certificate along": (
        by(key=lambda w: w.other, certificates=lambda w: [w.certificate(w.other)]),
        "does not verify",
    ),
    "SHA-1 signature": (by(algorithm="rsa-sha1"), "does not verify"),
    "SHA-1 digest": (by(digest="sha1"), "does not verify"),
    "HMAC with the public key": (
        altered(
            _set(".//d:SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "Algorithm")
        ),
        "does not verify",
    ),
    "algorithm of no name": (altered(_set(".//d:SignatureMethod", "none", "Algorithm")), "does not verify"),
    "XSLT in the signature": (altered(_within(TRANSFORMS, XSLT)), "transforms"),
    "XPath in the signature": (
        altered(_set(".//d:Transform[2]", "http://www.w3.org/TR/1999/REC-xpath-19991116", "Algorithm")),
        "transforms",
    ),
    "transform twice": (altered(_twice(".//d:Transform[2]")), "transforms"),
    "no transforms": (altered(_drop(TRANSFORMS)), "transforms"),
    "signature over nothing": (altered(_drop(".//d:Reference")), "and that alone"),
    "signature over two": (altered(_twice(".//d:Reference")), "and that alone"),
    "signature over the document": (altered(_set(".//d:Reference", "", "URI")), "and that alone"),
    "signature over the response, in the assertion": (
        altered(_set(".//d:Reference", "#_response", "URI")),
        "and that alone",
    ),
    "signature over an address": (
        altered(_set(".//d:Reference", "http://127.0.0.1:1/x", "URI")),
        "and that alone",
    ),
    "signature with an object": (
        altered(_within(".//d:Signature", '<d:Object xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>')),
        "an object",
    ),
    "inclusive canonical XML": (
        altered(
            _set(
                ".//d:CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "Algorithm"
            )
        ),
        "exclusive canonical",
    ),
    "two signatures": (altered(_twice(".//d:Signature")), "where none belongs"),
    "response altered, assertion good": (
        altered(_set("./p:Status", "x", "Note"), signs="both"),
        "does not verify",
    ),
    "assertion altered in a good response": (
        altered(_set(".//a:NameID", "root@corp.test"), signs="both"),
        "does not verify",
    ),
    # the XML
    "entities without an end": (rewritten("<samlp:Response", ENTITIES), "document type"),
    "an external entity": (rewritten("<samlp:Response", EXTERNAL), "document type"),
    "a document type elsewhere": (rewritten("<samlp:Response", REMOTE), "document type"),
    "document type in UTF-16": (
        lambda w: rewritten("<samlp:Response", EXTERNAL)(w).decode().encode("utf-16"),
        "UTF-8",
    ),
    "document type in UTF-7": (
        lambda w: b'<?xml version="1.0" encoding="utf-7"?>' + etree.tostring(w.response()),
        "processing instruction",
    ),
    "name cut by a comment": (_comment("ada@corp.test<!---->"), "a comment"),
    "name cut by a CDATA section": (_comment("ada@corp.test<![CDATA[]]>"), "CDATA"),
    "name cut by an instruction": (_comment("ada@corp.test<?x?>"), "processing instruction"),
    "name cut by an element": (_comment("ada@corp.test<x/>"), "does not verify"),
    "name cut by an element, signed": (
        honest(before=_within(".//a:NameID", "<x/>")),
        "holds more than text",
    ),
    "a schema elsewhere": (
        altered(
            _set(
                ".", "urn:x http://127.0.0.1:1/x", "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
            )
        ),
        "another document",
    ),
    "one id for two": (honest(before=_set("./a:Assertion", "_response", "ID")), "stands twice"),
    "one id in another case": (altered(_set(".//a:NameID", "_assertion", "id")), "stands twice"),
    "no id": (honest(before=_drop(".", "ID"), signs="assertion"), "is missing"),
    "two assertions": (altered(_twice("./a:Assertion")), "one response with one assertion"),
    "assertion in an assertion's advice": (
        honest(before=_within("./a:Assertion", f"<x>{ENCRYPTED.replace('Encrypted', '')}</x>")),
        "one response with one assertion",
    ),
    "no assertion": (altered(_drop("./a:Assertion")), "one response with one assertion"),
    "an assertion alone": (
        lambda w: w.response().find(saml("Assertion")),
        "expected a SAML response",
    ),
    "an encrypted assertion": (altered(_within(".", ENCRYPTED)), "encrypted"),
    "deeper than the bound": (
        rewritten("</samlp:Status>", "</samlp:Status>" + "<x>" * 40 + "</x>" * 40),
        "deeper",
    ),
    "more than the bound": (
        rewritten("</samlp:Status>", "</samlp:Status>" + "<x/>" * 9000),
        "elements",
    ),
    "oversized": (lambda _: "A" * (MAX_RESPONSE_BYTES + 1), "longer than"),
    "deflated, as a redirect carries it": (
        lambda w: zlib.compress(etree.tostring(w.response()))[2:-4],
        "UTF-8|well-formed",
    ),
    "a deflate bomb": (lambda _: zlib.compress(b"<x>" * 1_000_000)[2:-4], "UTF-8|well-formed"),
    "not base64": (lambda _: "<samlp:Response/>", "not base64"),
    "not XML": (lambda _: b"ada@corp.test", "well-formed"),
    "nothing": (lambda _: "", "well-formed"),
    # whose, for whom, when, in answer to what
    "another issuer": (honest(issuer="https://evil.test"), "another issuer"),
    "another response's issuer": (
        honest(before=_set("./a:Issuer", "https://evil.test")),
        "another issuer",
    ),
    "issuer in another format": (
        honest(
            before=_set(
                "./a:Assertion/a:Issuer", "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos", "Format"
            )
        ),
        "another issuer",
    ),
    "no issuer": (honest(before=_drop("./a:Assertion/a:Issuer")), "no issuer"),
    "SAML 1.1": (honest(version="1.1"), "SAML 2.0"),
    "another audience": (honest(audience="https://other.test"), "another audience"),
    "audience that contains ours": (
        honest(audience="https://console.test/login/saml/metadata/x"),
        "another audience",
    ),
    "no audience": (honest(before=_drop(".//a:AudienceRestriction")), "for whom"),
    "no conditions": (honest(before=_drop(".//a:Conditions")), "for whom"),
    "a second audience that is not ours": (
        honest(
            before=_within(
                ".//a:Conditions",
                '<a:AudienceRestriction xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">'
                "<a:Audience>https://other.test</a:Audience></a:AudienceRestriction>",
            )
        ),
        "another audience",
    ),
    "a condition of theirs": (honest(before=_within(".//a:Conditions", "<x/>")), "not understood"),
    "another recipient": (honest(recipient="https://evil.test/back"), "another address"),
    "another destination": (honest(destination="https://evil.test/back"), "another address"),
    "no destination": (honest(before=_drop(".", "Destination")), "another address"),
    "in answer to another's login": (honest(asked="_ffff"), "another login"),
    "in answer to nothing": (honest(before=_drop(".", "InResponseTo")), "another login"),
    "assertion in answer to another's login": (
        honest(before=_set(DATA, "_ffff", "InResponseTo")),
        "another login",
    ),
    "assertion in answer to nothing": (honest(before=_drop(DATA, "InResponseTo")), "another login"),
    "expired": (lambda w: w.response(ends=w.at(-31)), "expired"),
    "brought too late": (lambda w: w.response(brought=w.at(-31)), "expired"),
    "good for ever": (honest(before=_drop(DATA, "NotOnOrAfter")), "how long"),
    "not valid yet": (lambda w: w.response(begins=w.at(31)), "not valid yet"),
    "issued in the future": (lambda w: w.response(issued=w.at(31)), "not valid yet"),
    "issued before it was asked for": (lambda w: w.response(issued=w.at(-31)), "older than the login"),
    "session is over": (lambda w: w.response(session=w.at(-31)), "expired"),
    "logged in tomorrow": (lambda w: w.response(logged_in=w.at(86400)), "not valid yet"),
    "a time that is none": (honest(ends="soon"), "not one in UTC"),
    "a time in another zone": (honest(ends="2099-01-01T00:00:00+01:00"), "not one in UTC"),
    "a time on no day": (honest(ends="2099-02-30T00:00:00Z"), "not one in UTC"),
    "nobody logged in": (honest(before=_drop(".//a:AuthnStatement")), "anybody logged in"),
    "for whoever holds a key": (
        honest(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
        "whoever brings it",
    ),
    "no confirmation": (honest(before=_drop(".//a:SubjectConfirmation")), "whoever brings it"),
    "nobody": (honest(before=_drop(".//a:NameID")), "names nobody"),
    "no subject": (honest(before=_drop(".//a:Subject")), "no subject"),
    "two names": (honest(before=_twice(".//a:NameID")), "several NameID"),
    "empty name": (honest(name=""), "printable"),
    "name with a line break": (honest(name="ada&#10;root"), "printable"),
    "name that turns the text around": (honest(name="a\u202eb"), "printable"),
    "endless name": (honest(name="x" * 257), "printable"),
    "a name for this login only": (
        honest(format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
        "another one at each login",
    ),
    "a name of somebody else's": (
        honest(before=_set(".//a:NameID", "https://evil.test", "NameQualifier")),
        "qualified",
    ),
    "group with a line break": (honest(groups=("ops&#10;root",)), "printable"),
    "group that holds more": (
        honest(before=_within(".//a:AttributeValue[1]", "<x>root</x>")),
        "holds more than text",
    ),
    "groups without an end": (honest(groups=tuple(f"g{n}" for n in range(257))), "groups"),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_assertion_is_refused(make: Any, idp: Any, tmp_path: Path, name: str) -> None:
    """Every way of not being a good answer ends in a refusal; the honest one after it is too late."""
    forge, reason = FORGED[name]
    world = await make.world(idp, tmp_path).begin()
    world.at, world.other, world.certificate = make.at, make.other, make.certificate
    good = world.response()
    forged = forge(world)
    with (
        structlog.testing.capture_logs() as logged,
        pytest.raises((Unproven, LoginRefused), match=reason) as refusal,
    ):
        await world.finish(forged)
    assert logged[-1] | {"event": "saml_login_refused", "reason": str(refusal.value)} == logged[-1]
    for secret in ("ada@corp.test", "mallory", "root", "evil"):
        assert secret not in str(refusal.value)
    with pytest.raises(LoginRefused, match="answered before"):
        await world.finish(good)


async def test_the_same_answer_is_not_taken_twice(make: Any, idp: Any, tmp_path: Path) -> None:
    """Neither to its own request again, nor, with that request's id, to another."""
    world = await make.world(idp, tmp_path).begin()
    first = world.response()
    await world.finish(first)
    with pytest.raises(LoginRefused, match="answered before"):
        await world.finish(first)
    await world.begin()
    with pytest.raises(Unproven, match="another login"):
        await world.finish(first)


async def test_an_assertions_id_is_good_once(make: Any, idp: Any, tmp_path: Path) -> None:
    """A second assertion under the id of one that let somebody in is taken for its copy."""
    world = await make.world(idp, tmp_path).begin()
    await world.finish(world.response())
    await world.begin()
    with pytest.raises(Unproven, match="used before"):
        await world.finish(world.response())
    await world.begin()
    assert await world.finish(world.response(before=_set("./a:Assertion", "_next", "ID")))


async def test_an_answer_from_before_a_restart_is_not_taken(make: Any, idp: Any, tmp_path: Path) -> None:
    """What a restart forgets are requests; without its request no answer counts, used before or not."""
    world = await make.world(idp, tmp_path).begin()
    used = world.response()
    await world.finish(used)
    await world.begin()
    unused = world.response()
    attempt, world.provider = world.attempt, world.restarted()
    for response in (used, unused):
        with pytest.raises(LoginRefused, match="begin again"):
            await world.finish(response)
    await world.begin()
    assert world.attempt != attempt
    with pytest.raises(Unproven, match="another login"):
        await world.finish(unused)


async def test_a_login_that_takes_too_long_is_over(make: Any, idp: Any, tmp_path: Path) -> None:
    """However good the answer is by then."""
    world = await make.world(idp, tmp_path).begin()
    world.clock.pass_by(LOGIN_SECONDS)
    late = make.at(LOGIN_SECONDS)
    with pytest.raises(LoginRefused, match="over"):
        await world.finish(world.response(issued=late, begins=late))


async def test_another_browsers_relay_state_is_refused(make: Any, idp: Any, tmp_path: Path) -> None:
    """What went out beside the request must come back beside its answer."""
    world = await make.world(idp, tmp_path).begin()
    told = base64.b64encode(etree.tostring(world.response())).decode()
    with pytest.raises(LoginRefused, match="another login"):
        await world.provider.finish(world.attempt, {"SAMLResponse": told, "RelayState": "\ud800"})


async def test_a_declined_login_says_so(make: Any, idp: Any, tmp_path: Path) -> None:
    """A status that is no success is the provider's no, not somebody's forgery."""
    world = await make.world(idp, tmp_path).begin()
    denied = world.response(status="urn:oasis:names:tc:SAML:2.0:status:Responder", signs="both")
    with pytest.raises(LoginRefused, match="declined"):
        await world.finish(denied)


async def test_clocks_may_differ_a_little(make: Any, idp: Any, tmp_path: Path) -> None:
    """Thirty seconds, either way."""
    world = await make.world(idp, tmp_path).begin()
    early = {name: make.at(-29) for name in ("ends", "brought", "session", "issued")}
    assert await world.finish(world.response(**early))


async def test_an_unsigned_assertion_in_a_signed_response_may_be_ruled_out(
    make: Any, idp: Any, tmp_path: Path
) -> None:
    """`assertion_signed` wants the assertion's own signature, whatever is around it."""
    world = await make.world(idp, tmp_path, assertion_signed=True).begin()
    with pytest.raises(Unproven, match="not signed"):
        await world.finish(world.response(signs="response"))
    await world.begin()
    assert await world.finish(world.response(signs="both"))


async def test_a_certificate_counts_only_in_its_time(make: Any, idp: Any, tmp_path: Path) -> None:
    """Expired or not begun, it verifies nothing, though it stands in the metadata."""
    for begins, ends in ((-86400, -1), (1, 86400)):
        idp.certificates = [make.certificate(idp.key, begins=begins, ends=ends)]
        world = await make.world(idp, tmp_path).begin()
        with pytest.raises(Unproven, match="valid certificate"):
            await world.finish(world.response())


async def test_a_rotated_key_is_known_when_it_first_signs(make: Any, idp: Any, tmp_path: Path) -> None:
    """The metadata are read again, and a withdrawn certificate is out of force from then on."""
    world = await make.world(idp, tmp_path).begin()
    world.clock.pass_by(ASK_SECONDS)
    old = copy.deepcopy(idp)
    idp.key, idp.certificates = make.other, [make.certificate(make.other)]
    world.file.write_bytes(idp.metadata())
    assert await world.finish(world.response())
    await world.begin()
    with pytest.raises(Unproven, match="does not verify"):
        await world.finish(old.response(world.attempt.request_id))


async def test_an_attribute_may_name_the_principal(make: Any, idp: Any, tmp_path: Path) -> None:
    """`principal_attribute`, if it has exactly one value; prefixes go before names."""
    rules = {"principal_attribute": "groups", "principal_prefix": "corp:", "groups_prefix": "idp/"}
    world = await make.world(idp, tmp_path, **rules).begin()
    proof = await world.finish(world.response(groups=("ada",)))
    assert (proof.principal.id, proof.groups) == ("corp:ada", {"idp/ada"})
    await world.begin()
    with pytest.raises(Unproven, match="one value"):
        await world.finish(world.response())


async def test_an_attribute_may_come_once_for_each_value(make: Any, idp: Any, tmp_path: Path) -> None:
    """All of its values count, wherever they stand in the assertion."""
    again = ROOT.replace("root", "x")
    world = await make.world(idp, tmp_path).begin()
    proof = await world.finish(world.response(before=_within(".//a:AttributeStatement", again)))
    assert proof.groups == {"reviewers", "ops", "x"}


async def test_without_metadata_nobody_is_sent_anywhere(make: Any, idp: Any, tmp_path: Path) -> None:
    """A login does not begin while nobody knows where the provider is."""
    world = make.world(idp, tmp_path)
    world.file.unlink()
    with pytest.raises(IssuerFailed, match=r"idp\.xml"):
        await world.begin()


def test_our_metadata_say_where_answers_go(make: Any, idp: Any, tmp_path: Path) -> None:
    """The entity id and the address that each request and each answer names."""
    text = make.world(idp, tmp_path).provider.metadata().decode()
    assert 'entityID="https://console.test/login/saml/metadata"' in text
    assert 'Location="https://console.test/login/saml/back"' in text
