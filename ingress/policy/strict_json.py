"""JSON that has one reading only. What two parsers could read differently is refused, not guessed.

RFC 8259 leaves duplicate names, huge numbers and deep nesting to each parser; a policy that sees the first
`method` while the target obeys the last one judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NoReturn

import orjson

from tachograph.ingress.policy.errors import Unclear

__all__ = ["MAX_DEPTH", "MAX_NUMBER_CHARS", "keys_as_read", "parse"]

MAX_DEPTH = 128
MAX_NUMBER_CHARS = 64
"""No number that means anything is written longer."""

Json = dict[str, Any]


def parse(body: bytes) -> Any:
    """The value of a whole body in UTF-8. Raises `Unclear`, which repeats nothing of it."""
    try:
        orjson.loads(body)  # strict where json is lenient: UTF-8, lone surrogates, NaN, byte-order marks
    except orjson.JSONDecodeError:
        raise Unclear("expected JSON in UTF-8, got something else") from None
    try:
        value = _DECODER.decode(body.decode())
    except RecursionError:
        raise Unclear(_TOO_DEEP) from None
    if _deeper(value, MAX_DEPTH):
        raise Unclear(_TOO_DEEP)
    return value


def keys_as_read(value: Json, names: Collection[str]) -> None:
    """Refuse keys that are one of `names` but for their case: Go's parser takes them for the same."""
    for key in value:
        if key not in names and key.casefold() in names:
            raise Unclear("expected keys in their own case, got one that only some parsers take for it")


_TOO_DEEP = f"expected JSON that nests at most {MAX_DEPTH} deep"


def _object(pairs: list[tuple[str, Any]]) -> Json:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Unclear("expected each key once in an object, got one twice")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS:
        raise Unclear(f"expected numbers of at most {MAX_NUMBER_CHARS} characters")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if len(text) > MAX_NUMBER_CHARS or value in {float("inf"), float("-inf")}:
        raise Unclear(f"expected finite numbers of at most {MAX_NUMBER_CHARS} characters")
    return value


def _constant(_: str) -> NoReturn:
    raise Unclear("expected JSON, which has no NaN and no Infinity")


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
