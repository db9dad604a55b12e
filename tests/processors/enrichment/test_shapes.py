"""JSON of unknown shape gives the wanted type or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.shapes import (
    array,
    count,
    decode,
    dumps,
    kind,
    load,
    objects,
    record,
    text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_every_shape_is_taken(value: Any) -> None:
    """Each helper answers with its own type, whatever it is given."""
    assert isinstance(record(value, "a", "b"), dict)
    assert isinstance(array(value), list)
    assert all(isinstance(item, dict) for item in objects(value))
    assert text(value) is None or text(value) == value
    assert isinstance(kind(record(value)), str)
    found = count(value)
    assert found is None or (found == value and 0 <= found < 2**53)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, None), (-1, None), (1.0, None), ("1", None), (0, 0), (2**53, None)]
)
def test_only_whole_numbers_count(value: Any, expected: int | None) -> None:
    """A boolean, a negative, a fraction, a text or a number beyond 2^53 is no count."""
    assert count(value) == expected


@pytest.mark.parametrize("broken", ["", "{", "[1,]", "nul", "NaN", '"\\ud800"', "[" * 5000])
def test_what_is_no_json_is_nothing(broken: str) -> None:
    """Broken, half and bottomless JSON all give None."""
    assert load(broken) is None


def test_keys_are_sorted_and_depth_is_bounded() -> None:
    """Equal values give equal text; a value too deep to be written again gives None."""
    assert dumps({"b": 1, "a": 2}) == dumps({"a": 2, "b": 1}) == '{"a":2,"b":1}'
    assert dumps(load("[" * 300 + "]" * 300)) is None


@given(st.binary())
def test_any_bytes_become_text(data: bytes) -> None:
    """Text that is UTF-8 stays as it is, everything else is marked."""
    try:
        assert decode(data) == data.decode()
    except UnicodeDecodeError:
        assert "\ufffd" in decode(data)
