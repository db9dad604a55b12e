"""JSON that has one reading only: what two parsers could read differently is refused, not guessed. No I/O.

RFC 8259 leaves duplicate names, huge numbers and deep nesting to each parser; whoever checks one reading
while somebody else obeys another checks nothing. Whoever reads bodies or tokens brings the bound on depth.
"""

from __future__ import annotations

import json
import re
from array import array
from itertools import accumulate
from typing import Any, NoReturn

import orjson

__all__ = ["MAX_DEPTH", "MAX_NUMBER_CHARS", "Ambiguous", "parse", "read_object"]

MAX_DEPTH = 16
"""Of a token's parts and of what an issuer publishes."""
MAX_NUMBER_CHARS = 64
"""No number that means anything is written longer."""


class Ambiguous(ValueError):
    """No JSON, or JSON that two readers may read differently; its text repeats nothing of it."""


def parse(data: bytes, *, depth: int) -> Any:
    """The value of a whole document in UTF-8. Raises `Ambiguous`."""
    try:
        orjson.loads(data)  # strict where json is lenient: UTF-8, lone surrogates, NaN, byte-order marks
    except orjson.JSONDecodeError:
        raise Ambiguous("expected JSON in UTF-8, got something else") from None
    _check_bounds(data, depth)
    return _DECODER.decode(data.decode())


def _check_bounds(data: bytes, depth: int) -> None:
    """Of depth and numbers, in the text: to walk a million values would hold up everybody else."""
    if data.count(b"[") + data.count(b"{") <= depth and _LONG_NUMBER.search(data) is None:
        return
    bare = _STRING.sub(b'""', data)
    if _LONG_NUMBER.search(bare) is not None:
        raise Ambiguous(f"expected numbers of at most {MAX_NUMBER_CHARS} characters")
    if _deeper(bare, depth):
        raise _too_deep(depth)


def read_object(data: bytes) -> dict[str, Any]:
    """The object that `data` is, of at most `MAX_DEPTH` levels. Raises `Ambiguous`."""
    value = parse(data, depth=MAX_DEPTH)
    if not isinstance(value, dict):
        raise Ambiguous("expected one JSON object")
    return value


def _too_deep(depth: int) -> Ambiguous:
    return Ambiguous(f"expected JSON that nests at most {depth} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Ambiguous("expected each key once in an object, got one twice")
    return value


def _constant(_: str) -> NoReturn:
    raise Ambiguous("expected JSON, which has no NaN and no Infinity")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_LONG_NUMBER = re.compile(rb"[-+.0-9eE]{%d}" % (MAX_NUMBER_CHARS + 1))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""One deeper, one back, as signed bytes."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _deeper(bare: bytes, depth: int) -> bool:
    """Whether containers nest more than `depth` deep, in JSON that is valid and whose texts are empty."""
    steps = array("b", bare.translate(None, _NO_BRACKETS).translate(_STEPS))
    return max(accumulate(steps), default=0) > depth
