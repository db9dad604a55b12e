"""JSON that has one reading only: what two parsers could read differently is refused, not guessed. No I/O.

RFC 8259 leaves duplicate names, huge numbers and deep nesting to each parser; whoever checks one reading
while somebody else obeys another checks nothing. Whoever reads bodies or tokens brings the bound on depth.
"""

from __future__ import annotations

import json
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
    try:
        value = _DECODER.decode(data.decode())
    except RecursionError:
        raise _too_deep(depth) from None
    if _deeper(value, depth):
        raise _too_deep(depth)
    return value


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


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS:
        raise Ambiguous(f"expected numbers of at most {MAX_NUMBER_CHARS} characters")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if len(text) > MAX_NUMBER_CHARS or value in {float("inf"), float("-inf")}:
        raise Ambiguous(f"expected finite numbers of at most {MAX_NUMBER_CHARS} characters")
    return value


def _constant(_: str) -> NoReturn:
    raise Ambiguous("expected JSON, which has no NaN and no Infinity")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _deeper(value: Any, depth: int) -> bool:
    """Whether containers nest more than `depth` deep."""
    level = [value] if isinstance(value, dict | list) else []
    while level:
        if depth == 0:
            return True
        depth -= 1
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return False
