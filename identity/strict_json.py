"""JSON objects that read in one way only: no name twice, no number that is none, bounded depth. No I/O.

Two readers of one token must never see two different claims, so what is ambiguous is refused as a whole.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["MAX_DEPTH", "Ambiguous", "read_object"]

MAX_DEPTH = 16


class Ambiguous(ValueError):
    """Not one JSON object, or one that two readers may read differently."""


def read_object(data: bytes) -> dict[str, Any]:
    """The object that `data` is; raises `Ambiguous`, which repeats nothing of it."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Ambiguous("expected one JSON object in UTF-8, no name twice") from None
    if not isinstance(value, dict) or _too_deep(value):
        raise Ambiguous(f"expected one JSON object of at most {MAX_DEPTH} levels")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Ambiguous("a name stands twice")
    return found


def _no_number(_: str) -> NoReturn:
    # RFC 8259, 6: NaN and Infinity are no JSON
    raise Ambiguous("a number is none")


def _too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
