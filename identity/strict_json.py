"""JSON that has one reading only: what two parsers could read differently is refused, not guessed. No I/O.

RFC 8259 leaves duplicate names, huge numbers and deep nesting to each parser; whoever checks one reading
while somebody else obeys another checks nothing. Whoever reads bodies or tokens brings the bound on depth.

It is read on event loops. So it is read once, by orjson, and what orjson does not tell is counted: a name
that came twice left fewer members in the value than the text has colons. What costs time is not how long a
document is but how many values are in it; that is bounded before anything is made of them.
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["MAX_DEPTH", "MAX_NUMBER_CHARS", "MAX_VALUES", "Ambiguous", "parse", "read_object"]

MAX_DEPTH = 16
"""Of a token's parts and of what an issuer publishes."""
MAX_NUMBER_CHARS = 64
"""No number that means anything is written longer."""
MAX_VALUES = 1 << 17
"""Commas and opening brackets outside texts, together: a document has at most one value more."""

_NUMBERISH = bytes(ord("0") if char in b"-+.0123456789eE" else ord(" ") for char in range(256))
_LONG_NUMBER = b"0" * (MAX_NUMBER_CHARS + 1)
_MOST_QUOTES = 4 * (MAX_VALUES + 1)
"""Two of each value, and two of its name."""


class Ambiguous(ValueError):
    """No JSON, or JSON that two readers may read differently; its text repeats nothing of it."""


def parse(data: bytes, *, depth: int) -> Any:
    """The value of a whole document in UTF-8; whole numbers beyond 64 bits come as floats.

    Raises `Ambiguous`.
    """
    if _marks(data) > MAX_VALUES and _marks(_bare(data)) > MAX_VALUES:
        raise _too_many()
    try:
        value = orjson.loads(data)  # strict about UTF-8, lone surrogates, NaN, byte-order marks
    except orjson.JSONDecodeError:
        raise Ambiguous("expected JSON in UTF-8, got something else") from None
    if _has_long_number(data) and _has_long_number(_bare(data)):
        raise Ambiguous(f"expected numbers of at most {MAX_NUMBER_CHARS} characters")
    levels, members = _shape(value)
    if levels > depth:
        raise Ambiguous(f"expected JSON that nests at most {depth} deep")
    if data.count(b":") != members and _bare(data).count(b":") != members:
        raise Ambiguous("expected each key once in an object, got one twice")
    return value


def read_object(data: bytes) -> dict[str, Any]:
    """The object that `data` is, of at most `MAX_DEPTH` levels. Raises `Ambiguous`."""
    value = parse(data, depth=MAX_DEPTH)
    if not isinstance(value, dict):
        raise Ambiguous("expected one JSON object")
    return value


def _marks(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _has_long_number(data: bytes) -> bool:
    return _LONG_NUMBER in data.translate(_NUMBERISH)


def _bare(data: bytes) -> bytes:
    """The text with empty strings: right up to where it stops to be JSON, beyond which no parser gets."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if data.count(b'"') > _MOST_QUOTES:
        raise _too_many()
    return b'""'.join(data.split(b'"')[::2])


def _shape(value: Any) -> tuple[int, int]:
    """How deep containers nest, and how many members all objects have together."""
    levels = members = 0
    level = [value] if type(value) in _CONTAINERS else []
    while level:
        levels += 1
        below: list[Any] = []
        for item in level:
            values = item
            if type(item) is dict:
                members += len(item)
                values = item.values()
            below += [one for one in values if type(one) is dict or type(one) is list]
        level = below
    return levels, members


def _too_many() -> Ambiguous:
    return Ambiguous(f"expected JSON of at most {MAX_VALUES} values")


_CONTAINERS = (dict, list)
