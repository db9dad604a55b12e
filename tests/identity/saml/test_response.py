"""A response is one response with one assertion in its one place, or nothing."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tachograph.identity.errors import Unproven
from tachograph.identity.saml.response import evidence, take_apart
from tachograph.identity.saml.vocabulary import saml


def encoded(root: etree._Element) -> str:
    return base64.b64encode(etree.tostring(root)).decode()


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
def test_the_evidence_is_the_signed_form(make: Any, idp: Any, signs: str) -> None:
    """The assertion is cut off from whatever was not signed with it."""
    told = encoded(idp.response("_1", signs=signs))
    root = take_apart("\r\n".join(told[start : start + 76] for start in range(0, len(told), 76)))
    found = evidence(root, idp.certificates, assertion_signed=False, now=make.now)
    assert found.assertion.getroottree() is not root.getroottree()
    assert found.assertion.tag == saml("Assertion")
    assert "ada@corp.test" not in repr(found)


def test_a_signature_that_does_not_count_is_never_passed_over(make: Any, idp: Any) -> None:
    """A good signature of the response does not make up for a bad one of the assertion, nor the other way."""
    for place in ("assertion", "response"):
        root = idp.response("_1", signs="response" if place == "assertion" else "assertion")
        forger = make.idp(key=make.other)
        if place == "response":
            root = forger.sign(root)
        else:
            inner = root.find(saml("Assertion"))
            signed = forger.sign(inner)
            root = idp.response(
                "_1", signs="response", before=lambda made, s=signed: made.replace(made[-1], s)
            )
        with pytest.raises(Unproven, match="does not verify"):
            evidence(take_apart(encoded(root)), idp.certificates, assertion_signed=False, now=make.now)


@given(st.text(max_size=200))
def test_arbitrary_text_is_refused(text: str) -> None:
    """Nothing that is not a response makes anything but a refusal."""
    with pytest.raises(Unproven):
        take_apart(text)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """In base64 too."""
    with pytest.raises(Unproven):
        take_apart(base64.b64encode(data).decode())


HOSTILE = ["", "<", ">", "&", '"', "<!---->", "<x/>", "\u202e", "&#10;", "_evil", "mallory@corp.test", "</"]


@given(st.data())
def test_no_change_on_its_way_gives_another_assertion(make: Any, data: st.DataObject) -> None:
    """A piece put in, taken out or repeated anywhere: refused, or what was signed comes out as it was."""
    idp = make.idp()
    text = etree.tostring(
        idp.response("_1", signs=data.draw(st.sampled_from(["assertion", "both"])))
    ).decode()
    honest = take_apart(base64.b64encode(text.encode()).decode())
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    piece = data.draw(st.sampled_from([*HOSTILE, text[begin : begin + 400]]))
    altered = text[:begin] + piece + text[data.draw(st.sampled_from([begin, end])) :]
    try:
        root = take_apart(base64.b64encode(altered.encode()).decode())
        found = evidence(root, idp.certificates, assertion_signed=True, now=make.now)
    except Unproven:
        return
    known = evidence(honest, idp.certificates, assertion_signed=True, now=make.now)
    assert etree.tostring(found.assertion, method="c14n") == etree.tostring(known.assertion, method="c14n")
