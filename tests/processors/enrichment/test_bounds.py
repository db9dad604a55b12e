"""Texts stay within their bounds, counted in bytes of JSON, and what is cut shows it."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.bounds import (
    ARGUMENTS_BYTES,
    BODY_BYTES,
    CONTEXT_TEXT_BYTES,
    CUT,
    HEADERS_BYTES,
    ID_BYTES,
    MAX_IDS,
    RECORD_BYTES,
    URL_BYTES,
    clip,
    fits,
    slices,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def test_all_bounds_together_leave_room_for_a_body() -> None:
    """A document with every other field at its bound still takes a body of almost a MiB."""
    rest = 2 * HEADERS_BYTES + 3 * URL_BYTES + 2 * CONTEXT_TEXT_BYTES + 2 * ARGUMENTS_BYTES
    rest += 3 * MAX_IDS * ID_BYTES
    assert RECORD_BYTES - rest > BODY_BYTES * 0.9


@given(TEXTS, st.integers(8, 60))
def test_slices_are_the_text(text: str, limit: int) -> None:
    """Slices are within the limit, never empty, and put together they are the text."""
    found = list(slices(text, limit))
    assert "".join(found) == text
    assert all(piece and len(orjson.dumps(piece)) - 2 <= limit for piece in found)


@given(TEXTS, st.integers(0, 60))
def test_a_cut_text_says_so(text: str, limit: int) -> None:
    """A clipped text is the text, nothing, or a head of it that ends in the mark; always within the limit."""
    found = clip(text, limit)
    assert len(orjson.dumps(found)) - 2 <= limit
    is_head = found.endswith(CUT) and text.startswith(found.removesuffix(CUT))
    assert is_head or found in {text, ""}


@given(TEXTS, st.integers(0, 60))
def test_what_fits_is_counted_exactly(text: str, limit: int) -> None:
    """A text fits where its JSON, quotes aside, takes no more bytes than the limit."""
    assert fits(text, limit) == (len(orjson.dumps(text)) - 2 <= limit)


def test_control_characters_count_six_times() -> None:
    """The bound is on JSON bytes, not on characters."""
    assert clip("\x00" * 1000, 600).count("\x00") <= 100
    assert clip("x" * 600, 600) == "x" * 600


def test_a_limit_that_no_character_fits_is_refused() -> None:
    """Slicing into less than one character's bytes cannot end, so it does not begin."""
    with pytest.raises(ValueError, match="at least 8"):
        next(slices("x", 7))
