"""The lean reader takes what orjson takes, without building it."""

import json
import subprocess
import sys

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking import wellformed
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.wellformed import is_json

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def lean(data: bytes) -> bool:
    return wellformed._is_large_json(data, None)


def built(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_document_is_taken(value: object, ascii_only: bool, indent: int | None) -> None:
    """In any spelling and with any white space."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    assert lean(text) == built(text)


@given(VALUES, st.data())
def test_broken_documents_are_refused_alike(value: object, data: st.DataObject) -> None:
    """A byte changed, left out or cut off: as orjson says."""
    text = bytearray(json.dumps(value).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert lean(bytes(text)) == built(bytes(text))


CORNERS = r"""
1 2|[1,]|[,]|{"a":1,}|{"a"}|{"a":}|{1:2}|[1}|]|01|-|1.|.5|1e|NaN|"\x"|"\ud800"|"\udc00"|"\ud83d\ude00"|tru
[[]|[]]|[] | {"a" : [ ] , "b" : { } } |"\u00e9"|"cut|1e5|-0.5E-3| ||"\u12"|"a\"|{"a":[1,{"b":null},[]],"c":{}}
"""


@pytest.mark.parametrize(
    "text",
    [*(c.encode() for line in CORNERS.split("\n") for c in line.split("|")), b'"\t"', b'"\xff"'],
    ids=repr,
)
def test_corners_are_as_orjson_has_them(text: bytes) -> None:
    """Grammar, escapes, surrogates, control characters, UTF-8."""
    assert lean(text) == built(text)


def test_depth_is_bounded() -> None:
    """Nobody reads deeper."""
    assert lean(b"[" * 1000 + b"]" * 1000)
    assert not lean(b"[" * 2000 + b"]" * 2000)


def test_time_is_bounded() -> None:
    """The record's deadline holds here too."""
    over = Deadline(lambda: 1.0, 0.0)
    with pytest.raises(Withheld, match="timeout"):
        is_json(b"[" + b"{}," * 2_000_000 + b"{}]", over)


@pytest.mark.parametrize("close", [b"}", b""])
def test_a_million_keys_are_read(close: bytes) -> None:
    """As JSON if they are, not if they end early."""
    data = b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(1_000_000)) + close
    assert wellformed._tree_bytes(data) > wellformed.TREE_BYTES
    assert is_json(data) is bool(close)


def test_a_million_keys_take_no_memory() -> None:
    """In a child process, its peak measured: a few copies of the text, where the value would take 200 MB."""
    code = (
        "import resource\nfrom tachograph.processors.masking.wellformed import is_json\n"
        "data = b'{' + b','.join(b'\"k%d\":%d' % (i, i) for i in range(1_000_000)) + b'}'\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert is_json(data)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40 * 1024
