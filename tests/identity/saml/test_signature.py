"""What a signature is good for: the element that carries it, as it was digested, and nothing else."""

import functools
from typing import Any

import pytest
from lxml import etree

from tachograph.identity.errors import Unproven
from tachograph.identity.saml.signature import verified
from tachograph.identity.saml.vocabulary import ds, saml


def _carriers(root: etree._Element) -> list[etree._Element]:
    return [each for each in root.iter() if each.find(ds("Signature")) is not None]


def test_what_is_returned_is_what_was_signed(make: Any, idp: Any) -> None:
    """Without the signature, and cut off from the document around it."""
    root = idp.response("_1", signs="both")
    for carrier in (root, root.find(saml("Assertion"))):
        signed = verified(carrier, idp.certificates, now=make.now)
        assert (signed.tag, signed.get("ID")) == (carrier.tag, carrier.get("ID"))
        assert signed.find(ds("Signature")) is None
        assert signed.getparent() is None


def test_the_certificate_in_a_signature_is_not_looked_at(make: Any, idp: Any) -> None:
    """Trust comes from the metadata, even where the signature has no key with it, or a wrong one."""
    root = idp.response("_1", signs="response")
    info = root.find(f".//{ds('KeyInfo')}")
    assert info is not None
    next(info.iter(ds("X509Certificate"))).text = "AAAA"
    assert verified(root, idp.certificates, now=make.now).get("ID") == "_response"
    with pytest.raises(Unproven):
        verified(root, [make.certificate(make.other)], now=make.now)
    info.getparent().remove(info)  # type: ignore[union-attr]
    assert verified(root, idp.certificates, now=make.now).get("ID") == "_response"
    with pytest.raises(Unproven):
        verified(root, [], now=make.now)


@pytest.mark.parametrize("same_id", [False, True])
@pytest.mark.parametrize("number", range(1, 9))
def test_wrapping_is_refused_by_the_verifier_alone(make: Any, idp: Any, number: int, same_id: bool) -> None:
    """Were a response's form not checked at all: no signature in it makes the forger's name good."""
    root = make.wrap(functools.partial(idp.response, "_1"), number, same_id=same_id)
    assert b"mallory" in etree.tostring(root)
    for carrier in _carriers(root):
        try:
            signed = verified(carrier, idp.certificates, now=make.now)
        except Unproven:
            continue
        assert b"mallory" not in etree.tostring(signed)
