"""SAML metadata: the provider's, read strictly, and ours, written. No I/O.

A signature over metadata is not looked at: it comes over HTTPS from where the operator says, or is a file of
theirs.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from tachograph.identity.addresses import safe
from tachograph.identity.errors import IssuerFailed
from tachograph.identity.proof import FOR_EVER
from tachograph.identity.saml import strict_xml
from tachograph.identity.saml.instants import instant
from tachograph.identity.saml.request import Ourselves
from tachograph.identity.saml.strict_xml import Unreadable, children
from tachograph.identity.saml.vocabulary import MD, POST, PROTOCOL, REDIRECT, ds, md

__all__ = ["MAX_CERTIFICATES", "IdentityProvider", "read_metadata", "service_metadata"]

MAX_CERTIFICATES = 8
_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """Whom we trust, with what they sign, and where browsers are sent."""

    entity_id: str
    sso_url: str
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    good_until: float = FOR_EVER
    """Unix time in seconds, by their own `validUntil`."""


def read_metadata(data: bytes, entity_id: str, *, now: float) -> IdentityProvider:
    """The provider of this entity id; raises `IssuerFailed` unless the metadata are its own and usable."""
    try:
        entity = _entity(strict_xml.read(data, comments=True), entity_id)
        role = _role(entity)
        return IdentityProvider(entity_id, _sso_url(role), _certificates(role), _end(role, now))
    except Unreadable as error:
        raise IssuerFailed(f"its metadata cannot be used: {error}") from None


def service_metadata(ours: Ourselves) -> bytes:
    """Our own metadata, for the provider's administrator (metadata, 2.4.4)."""
    entity = etree.Element(md("EntityDescriptor"), {"entityID": ours.entity_id}, nsmap={"md": MD})
    role = etree.SubElement(
        entity,
        md("SPSSODescriptor"),
        {
            "AuthnRequestsSigned": "false",
            "WantAssertionsSigned": "true",
            "protocolSupportEnumeration": PROTOCOL,
        },
    )
    etree.SubElement(
        role,
        md("AssertionConsumerService"),
        {"Binding": POST, "Location": ours.acs_url, "index": "0", "isDefault": "true"},
    )
    return etree.tostring(entity, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _entity(root: etree._Element, entity_id: str) -> etree._Element:
    if root.tag not in {md("EntityDescriptor"), md("EntitiesDescriptor")}:
        raise Unreadable("expected an EntityDescriptor")
    found = [each for each in root.iter(md("EntityDescriptor")) if each.get("entityID") == entity_id]
    if len(found) != 1:
        raise Unreadable("expected the configured idp_entity_id in it, once")
    return found[0]


def _end(role: etree._Element, now: float) -> float:
    """Metadata, 2.3.1, 2.3.2 and 2.4.1: a role may end, and so may what holds it."""
    told = [until for each in (role, *role.iterancestors()) if (until := each.get("validUntil")) is not None]
    end = min(map(instant, told), default=FOR_EVER)
    if now >= end:
        raise Unreadable("its validUntil is over")
    return end


def _role(entity: etree._Element) -> etree._Element:
    roles = [
        role
        for role in children(entity, md("IDPSSODescriptor"))
        if PROTOCOL in role.get("protocolSupportEnumeration", "").split()
    ]
    if len(roles) != 1:
        raise Unreadable("expected one IDPSSODescriptor for SAML 2.0")
    return roles[0]  # WantAuthnRequestsSigned is not looked at: Keycloak says so whatever it wants


def _sso_url(role: etree._Element) -> str:
    services = children(role, md("SingleSignOnService"))
    found = [each.get("Location", "") for each in services if each.get("Binding") == REDIRECT]
    if not found:
        raise Unreadable("it has no single sign-on service with the HTTP-Redirect binding")
    if not safe(found[0]) or "#" in found[0]:
        raise Unreadable("its single sign-on service is not an https address, nor http on this machine")
    return found[0]


def _certificates(role: etree._Element) -> tuple[x509.Certificate, ...]:
    texts = [
        strict_xml.text(each)
        for key in children(role, md("KeyDescriptor"))
        if key.get("use", "signing") == "signing"  # metadata, 2.4.1.1: without `use` it is for both
        for each in key.iter(ds("X509Certificate"))
    ]
    if len(texts) > MAX_CERTIFICATES:
        raise Unreadable(f"it has more than {MAX_CERTIFICATES} signing certificates")
    usable = tuple(found for told in texts if _strong(found := _certificate(told)))
    if not usable:
        raise Unreadable("it has no signing certificate with RSA of 2048 to 8192 bits or a NIST curve")
    return usable


def _certificate(told: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join(told.split()), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise Unreadable("a signing certificate in it is malformed") from None


def _strong(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
