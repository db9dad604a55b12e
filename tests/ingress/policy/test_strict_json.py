"""JSON with one reading is taken as every parser takes it; the rest is refused."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.strict_json import MAX_DEPTH, keys_as_read, parse


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"x":{"a":1,"b":2,"a":1}}',
        b'{"a":1,"\\u0061":2}',
        b"[NaN]",
        b"[Infinity]",
        b"[1e400]",
        b"[-1e999]",
        b"[" + b"9" * 65 + b"]",
        b"[0." + b"1" * 65 + b"]",
        b'"\\ud800"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"{} x",
        b"",
        b"'a'",
        b"[1,]",
        b"{a:1}",
        b"// c\n{}",
        '{"a":1}'.encode("utf-16"),
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_two_readings_are_refused(body: bytes) -> None:
    """Duplicate keys in any spelling, numbers without end, other encodings, depth, comments, leftovers."""
    with pytest.raises(Unclear):
        parse(body)


def test_the_deepest_is_taken() -> None:
    """The bound is the bound."""
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_a_refusal_repeats_nothing() -> None:
    """What is refused may be a secret."""
    with pytest.raises(Unclear) as caught:
        parse(b'{"password":"hunter2","password":"hunter2"}')
    assert "hunter2" not in str(caught.value)
    assert "password" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_in_another_case_are_refused() -> None:
    """Go takes `Method` for `method`, whichever comes last."""
    keys_as_read({"method": 1, "other": 2, "OTHER": 3}, {"method"})
    for key in ("Method", "METHOD", "ＭETHOD".replace("Ｍ", "m").title()):
        with pytest.raises(Unclear):
            keys_as_read({key: 1}, {"method"})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_plain_is_taken_as_it_is(value: object) -> None:
    """A value that a JSON writer wrote comes back equal."""
    try:
        body = orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return  # a lone surrogate, which is no text
    if len(max(json.dumps(value).split(), key=len, default="")) < 60 and "e+" not in body.decode():
        assert parse(body) == orjson.loads(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """Nothing but `Unclear` comes out of it."""
    try:
        value = parse(body)
    except Unclear:
        return
    assert orjson.loads(body) == value
