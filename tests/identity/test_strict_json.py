"""JSON that reads in one way only."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.strict_json import MAX_DEPTH, Ambiguous, read_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_a_plain_object_is_read_as_it_is(value: dict[str, object]) -> None:
    """Whatever JSON can say once, up to the bound on depth."""
    try:
        assert read_object(json.dumps(value).encode()) == value
    except Ambiguous:
        assert json.dumps(value).count("[") + json.dumps(value).count("{") >= MAX_DEPTH


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b"{} {}",
        b"\xff",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"b":{"a":1,"a":2}}',
        b"{'a':1}",
        b'{"a":1,}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' * 20 + b"1" + b"}" * 20,
        b"[" * 100_000,
    ],
)
def test_what_is_ambiguous_is_refused(data: bytes) -> None:
    """Names twice, numbers that are none, depth without end, and what is no object."""
    with pytest.raises(Ambiguous):
        read_object(data)


@given(st.binary())
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    """Nothing else comes out."""
    with contextlib.suppress(Ambiguous):
        assert isinstance(read_object(data), dict)
