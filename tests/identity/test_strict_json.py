"""JSON that reads in one way only."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.identity import strict_json
from tachograph.identity.strict_json import (
    MAX_DEPTH,
    MAX_NUMBER_CHARS,
    MAX_VALUES,
    Ambiguous,
    parse,
    read_object,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
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


def _depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


@given(VALUES, st.integers(0, 6))
def test_the_depth_in_the_text_is_that_of_the_value(value: object, depth: int) -> None:
    """Brackets within texts do not count, and neither kind of container hides another."""
    data = json.dumps([value, '[{"\\', {"]": value}], ensure_ascii=False).encode("utf-8", "replace")
    try:
        found = parse(data, depth=depth)
    except Ambiguous:
        assert _depth(json.loads(data)) > depth or b"?" in data or len(data) > MAX_NUMBER_CHARS
    else:
        assert _depth(found) <= depth


@pytest.mark.parametrize("number", ["9" * 64, "-" + "9" * 63, "0." + "1" * 62])
def test_the_longest_number_is_taken_and_one_longer_is_not(number: str) -> None:
    """In a text it is no number."""
    assert parse(f"[{number}]".encode(), depth=1) == [float(number)]
    assert parse(f'["{number}1"]'.encode(), depth=1) == [f"{number}1"]
    with pytest.raises(Ambiguous, match="64 characters"):
        parse(f"[{number}1]".encode(), depth=1)


def test_whole_numbers_beyond_64_bits_are_floats() -> None:
    """As in every reader whose numbers are doubles; those of 64 bits are exact."""
    assert parse(b"[18446744073709551615,-9223372036854775808]", depth=1) == [2**64 - 1, -(2**63)]
    (found,) = parse(b"[18446744073709551616]", depth=1)
    assert type(found) is float


PIECES = st.sampled_from(
    [*'{}[]:,"1\\ ', '"a"', '"b"', '"\\u0061"', '":"', '"\\\\"', '"\\""', "{}", '{"a":', '"a":1,']
)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


@given(st.lists(PIECES, max_size=24).map("".join) | VALUES.map(json.dumps))
@example('{"a":{"b":1,"b":1}}')
@example('{"a:":1,"b":{"a":"\\\\","\\u0061":":"}}')
def test_a_name_that_comes_twice_is_found_by_counting(text: str) -> None:
    """A reader that looks at each pair by itself finds the same, however colons and quotes stand in texts."""
    try:
        expected = json.loads(text, object_pairs_hook=_object)
    except ValueError:
        with pytest.raises(Ambiguous):
            parse(text.encode(), depth=64)
    else:
        assert parse(text.encode(), depth=64) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"1," * (MAX_VALUES - 1) + b"1]",
        b'{"a":["' + b",[{" * MAX_VALUES + b'\\"' + b'"]}',
        rb'["\\",' + rb'"\\","\"",' * 8 + b'"' + b"," * MAX_VALUES + b'"]',
    ],
    ids=["numbers", "a text", "texts behind escapes"],
)
def test_the_most_values_are_taken(data: bytes) -> None:
    """What stands in texts does not count."""
    assert parse(data, depth=2) == json.loads(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda count: b"[" + b"1," * count + b"1]",
        lambda count: b"[" + b"[]," * (count // 2) + b"1]",
        lambda count: b'{"":{' + b'"":{},' * (count // 2) + b'"":1}}',
        lambda count: b'["' + b'","' * 2 * count + b'"]',
        lambda count: b"[" + b'"",' * 3 * count + b"1]",
    ],
    ids=["numbers", "lists", "objects", "texts", "quotes"],
)
def test_more_values_are_refused_before_any_is_made(
    make: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads on an event loop is held up by their number, so it is known before."""

    monkeypatch.setattr(strict_json, "orjson", None)
    with pytest.raises(Ambiguous, match=str(MAX_VALUES)):
        parse(make(MAX_VALUES), depth=8)
