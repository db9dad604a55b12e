"""The search: finds what is there, in part and encoded, and nothing that is not."""

import base64
import gzip
import json
import zlib
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.demo.leaks import WINDOW, Search, forms
from tachograph.cli.demo.plant import Planted, plant

PLANTED = plant(Random(3))
SEARCH = Search(PLANTED)
CASES = [(item, part) for item in PLANTED for part in item.secret]


def _encodings(part: str) -> dict[str, bytes]:
    raw = part.encode()
    return {
        "plain": raw,
        "JSON": json.dumps({"a": json.dumps({"b": part})}).encode(),
        "percent": quote(part, safe="").encode(),
        "form": quote_plus(part).encode(),
        "percent, all of it": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "unicode escapes": "".join(f"\\u{byte:04x}" for byte in raw).encode(),
        "hex": raw.hex().encode(),
        "gzip": gzip.compress(b"before " + raw),
        "zlib": zlib.compress(b"before " + raw),
        "gzip in base64": b'"' + base64.b64encode(gzip.compress(raw)) + b'"',
        **{f"base64 at {n}": base64.b64encode(b"x" * n + raw + b"after") for n in range(3)},
        **{f"URL base64 at {n}": base64.urlsafe_b64encode(b"x" * n + raw + b"after") for n in range(3)},
    }


@pytest.mark.parametrize(("item", "part"), CASES, ids=[f"{item.name}-{part[:4]}" for item, part in CASES])
def test_every_credential_is_found_in_every_encoding(item: Planted, part: str) -> None:
    """Whole secrets, as anybody would write them down, in the middle of other bytes."""
    for name, data in _encodings(part).items():
        assert item.name in SEARCH.found(b"\x00 some text " + data + b" more\xff"), name


@given(data=st.data())
def test_twelve_characters_in_a_row_are_enough(data: st.DataObject) -> None:
    """Half a credential is a leak too."""
    item, part = data.draw(st.sampled_from(CASES))
    start = data.draw(st.integers(0, len(part) - WINDOW))
    assert item.name in SEARCH.found(part[start : start + WINDOW].encode())


@given(st.binary(max_size=2000))
def test_nothing_is_found_where_nothing_is(data: bytes) -> None:
    """And no input breaks the search, whatever looks like a compressed stream in it."""
    assert SEARCH.found(data) == set()


@given(st.text(alphabet="abcXYZ019-_+/!$*", min_size=WINDOW, max_size=60))
def test_every_form_is_long_enough_to_mean_something(secret: str) -> None:
    """A pattern shorter than a window would find what is not there."""
    assert all(min(len(text), width) >= WINDOW for text, width in forms(secret))
