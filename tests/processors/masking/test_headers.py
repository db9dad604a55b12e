"""Headers lose what is secret by name and nothing else; anything but a list of pairs is withheld."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import DEFAULT_FIELDS
from tachograph.processors.masking.headers import parse
from tachograph.processors.masking.named import NamedValues

NAMED = NamedValues(DEFAULT_FIELDS)


def secret_parts(name: str, value: str) -> list[str]:
    parsed = parse(orjson.dumps([["Host", "h"], [name, value]]), NAMED)
    return [parsed.data[f.start : f.end].decode() for f in parsed.fields]


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("Authorization", "Bearer abc", ["abc"]),
        ("authorization", "abc", ["abc"]),
        ("Proxy-Authorization", "Basic dTpw", ["dTpw"]),
        ("Authorization", 'Digest username="u", response="r"', ['username=\\"u\\", response=\\"r\\"']),
        ("Cookie", "a=1; b=two=2;c=3", ["1", "two=2", "3"]),
        ("Set-Cookie", "sid=xyz; Path=/; HttpOnly", ["xyz"]),
        ("Cookie", "bare", ["bare"]),
        ("Cookie", "a=1; bare; b=2;", ["1", "bare", "2"]),
        ("Set-Cookie", "bare; Path=/; Secure", ["bare"]),
        ("X-Api-Key", "k", ["k"]),
        ("User-Agent", "x/1", []),
        ("X-Api-Key", "", []),
    ],
)
def test_secret_parts(name: str, value: str, parts: list[str]) -> None:
    """The scheme, the cookie names and the attributes stay."""
    assert secret_parts(name, value) == parts


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'[["a"]]', b'[["a", 1]]', b"[[1, 2]", b'"x"'])
def test_anything_else_is_withheld(data: bytes) -> None:
    """Headers that cannot be read are not passed on."""
    with pytest.raises(Withheld, match="invalid-headers"):
        parse(data, NAMED)


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=6))
def test_pairs_come_back_in_canonical_form(pairs: list[tuple[str, str]]) -> None:
    """The content is the same pairs, and every line and field lies inside it."""
    parsed = parse(orjson.dumps(pairs), NAMED)
    assert orjson.loads(parsed.data) == [list(pair) for pair in pairs]
    for field in parsed.fields:
        assert 0 <= field.start < field.end <= len(parsed.data)
