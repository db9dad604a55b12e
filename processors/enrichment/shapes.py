"""Takes values out of JSON that may have any shape: the wanted type, or nothing. Never an exception."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

__all__ = ["Json", "array", "count", "decode", "dumps", "kind", "load", "objects", "record", "text"]

Json = dict[str, Any]
_EMPTY: Json = {}
_MAX_COUNT = 2**53


def decode(body: bytes) -> str:
    """UTF-8 as text; a byte that is none becomes U+FFFD, so that the rest stays readable."""
    return body.decode("utf-8", errors="replace")


def load(data: bytes | str) -> Any:
    """The JSON value, or None where it is none (JSON's own `null` is of no use to us either)."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def dumps(value: Any) -> str | None:
    """Canonical JSON text, or None for what cannot be written again (nested too deep)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return None


def record(value: Any, *path: str) -> Json:
    """The object at `path`, or an empty one."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, dict) else _EMPTY


def array(value: Any) -> list[Any]:
    """The list itself, or an empty one."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> Iterator[Json]:
    """The objects in a list; anything else in it is passed over."""
    yield from (item for item in array(value) if isinstance(item, dict))


def text(value: Any) -> str | None:
    """A text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def kind(value: Json) -> str:
    """What an object says under `type`, or an empty text: something that can be looked up."""
    return text(value.get("type")) or ""


def count(value: Any) -> int | None:
    """A whole number from 0 to 2^53, or None. JSON's `true` is not one."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < _MAX_COUNT else None
