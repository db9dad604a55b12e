"""Whether an element is signed by whom the metadata name: verified by signxml, used as signxml returns it.

Only what the verifier hands back, parsed anew from the very bytes that were digested, is ever read. SAML's
own narrowing of XML Signature (core, 5.4) is checked before: what it does not allow is not left to a
library's good sense. Keys and certificates in a signature are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from tachograph.identity.errors import Unproven
from tachograph.identity.saml.strict_xml import children
from tachograph.identity.saml.vocabulary import ds

__all__ = ["verified"]

_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = frozenset({_ENVELOPED, _EXCLUSIVE})


def verified(
    element: etree._Element, certificates: Sequence[x509.Certificate], *, now: float
) -> etree._Element:
    """The signed form of an element that carries its own signature; raises `Unproven`."""
    _check_profile(element)
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,
        verification_time=datetime.fromtimestamp(now, UTC),
    )
    for certificate in certificates:
        result = _result(element, certificate, config)
        signed = result.signed_xml if result is not None else None
        if signed is not None and signed.tag == element.tag and signed.get("ID") == element.get("ID"):
            return signed
    raise Unproven("its signature does not verify with a valid certificate of the provider's metadata")


def _result(
    element: etree._Element, certificate: x509.Certificate, config: SignatureConfiguration
) -> VerifyResult | None:
    try:
        result = XMLVerifier().verify(element, x509_cert=certificate, expect_config=config)
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
        return None
    return result if isinstance(result, VerifyResult) else None


def _check_profile(element: etree._Element) -> None:
    """Core, 5.4.2 to 5.4.4, read strictly: one reference, to the element itself, by two transforms."""
    (signature,) = children(element, ds("Signature"))
    if children(signature, ds("Object")):
        raise Unproven("its signature carries an object, which SAML does not allow")
    references = list(signature.iter(ds("Reference")))
    if len(references) != 1 or references[0].get("URI") != f"#{element.get('ID')}":
        raise Unproven("its signature is not over the element that carries it, and that alone")
    told = [each.get("Algorithm", "") for each in signature.iter(ds("Transform"))]
    if sorted(told) != sorted(_TRANSFORMS):
        raise Unproven("its signature asks for transforms that SAML does not allow")
    canonical = [each.get("Algorithm") for each in signature.iter(ds("CanonicalizationMethod"))]
    if canonical != [_EXCLUSIVE]:
        raise Unproven("its signature is not over exclusive canonical XML")
