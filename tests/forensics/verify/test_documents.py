"""One document: read in one way or not at all, and its header is the one that was captured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import Strand, story

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import Unreadable, read_document
from tachograph.schemas.event import header_hash


def test_the_header_is_the_one_that_was_captured() -> None:
    """Its canonical bytes hash to the next record's `prev`."""
    opened, asked = (read_document(doc.value) for doc in story()[:2])
    assert opened.canonical is not None
    assert asked.header is not None
    assert asked.header.prev == header_hash(opened.canonical)


def test_text_beyond_ascii_is_read() -> None:
    """The slow way round gives the same as the fast one."""
    said = read_document(Strand().record("session.open", principal="Zoë", note="\x7f\u2028").value)
    assert said.header is not None
    assert said.header.principal.id == "Zoë"


@given(st.binary(max_size=60))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    """Whatever lies there."""
    with pytest.raises(Unreadable):
        read_document(data)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_we_write_is_taken(number: float) -> None:
    """Costs and arguments are floats."""
    read_document(Strand().record("session.open", cost_usd=number, other="é").value)


@pytest.mark.parametrize(
    "facts",
    [
        *({"conversation": odd} for odd in (7, "x", [], {}, {"head": None})),
        *({"body_parts": odd} for odd in ("3", 1.5, -1, True, None, [1])),
    ],
)
def test_names_of_another_type_are_not_passed_over(facts: dict[str, object]) -> None:
    """Skipped, they would ask for nothing, and what they named could be left out."""
    with pytest.raises(Unreadable) as refused:
        read_document(Strand().record("request", **facts).value)
    assert refused.value.verdict is Verdict.HEADER_MALFORMED


def test_deep_nesting_does_not_reach_the_parser() -> None:
    """A hundred thousand brackets are a verdict."""
    with pytest.raises(Unreadable) as refused:
        read_document(b"[" * 100_000)
    assert refused.value.verdict is Verdict.JSON_AMBIGUOUS
