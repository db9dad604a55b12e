"""A response taken apart: one response, one assertion in its one place, every id once. No I/O.

Signature wrapping hides the signed element and shows another: it needs a second assertion, a second response,
a signature in another place or an id that stands twice. None of these is taken; and what is read in the end
is what was signed, as the verifier returns it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from lxml import etree

from tachograph.identity.errors import Unproven
from tachograph.identity.saml import strict_xml
from tachograph.identity.saml.signature import verified
from tachograph.identity.saml.strict_xml import Unreadable, children
from tachograph.identity.saml.vocabulary import ds, saml, samlp

__all__ = ["MAX_RESPONSE_BYTES", "Evidence", "evidence", "take_apart"]

MAX_RESPONSE_BYTES = 256 * 1024
"""Of the form field, before it is decoded. Nothing in it is ever inflated."""
_ENCRYPTED = frozenset({"EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "NewEncryptedID"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What may be relied on. `response` is as it came where only the assertion is signed."""

    response: etree._Element = field(repr=False)
    assertion: etree._Element = field(repr=False)


def take_apart(told: str) -> etree._Element:
    """The Response in a form's `SAMLResponse`; raises `Unproven`. Nothing is verified but its form."""
    if len(told) > MAX_RESPONSE_BYTES:
        raise Unproven(f"the response is longer than {MAX_RESPONSE_BYTES} bytes")
    try:
        data = base64.b64decode("".join(told.split()), validate=True)  # RFC 2045 breaks its lines
        root = strict_xml.read(data)
    except (binascii.Error, ValueError) as error:
        reason = str(error) if isinstance(error, Unreadable) else "it is not base64"
        raise Unproven(f"the response is refused: {reason}") from None
    check_form(root)
    return root


def check_form(root: etree._Element) -> None:
    """Refuse, by `Unproven`, whatever could make two readers see two assertions."""
    if root.tag != samlp("Response"):
        raise Unproven("expected a SAML response")
    names = [etree.QName(each).localname for each in root.iter()]
    if not _ENCRYPTED.isdisjoint(names):
        raise Unproven(
            "the assertion is encrypted, which is not supported: turn encryption off for this gateway at "
            "the provider; TLS protects it on its way"
        )
    if names.count("Response") != 1 or names.count("Assertion") != 1 or not children(root, saml("Assertion")):
        raise Unproven("expected one response with one assertion in it")
    (assertion,) = children(root, saml("Assertion"))
    ids = [value for each in root.iter() for value in _ids(each)]
    if len(ids) != len(set(ids)) or not root.get("ID") or not assertion.get("ID"):
        raise Unproven("an id in the response is missing, or stands twice")
    signed = [len(children(each, ds("Signature"))) for each in (root, assertion)]
    if max(signed) > 1 or names.count("Signature") != sum(signed):
        raise Unproven("the response has a signature where none belongs")


def evidence(
    root: etree._Element, certificates: Sequence[x509.Certificate], *, assertion_signed: bool, now: float
) -> Evidence:
    """The response and the assertion as they were signed; raises `Unproven`."""
    whole = bool(children(root, ds("Signature")))
    response = verified(root, certificates, now=now) if whole else root
    (assertion,) = children(response, saml("Assertion"))
    if children(assertion, ds("Signature")):
        return Evidence(response, verified(assertion, certificates, now=now))
    if assertion_signed or not whole:
        raise Unproven("the assertion is not signed")
    return Evidence(response, assertion)


def _ids(element: etree._Element) -> list[str]:
    return [
        str(value) for name, value in element.attrib.items() if etree.QName(name).localname.lower() == "id"
    ]
