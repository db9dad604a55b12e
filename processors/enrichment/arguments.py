"""A tool's arguments as an object that an index can take: bounded in depth, count, size and keys.

A hostile body must neither explode a mapping nor make the index refuse the document. What is cut here
stands whole in the body, and its head in `arguments_text`.
"""

from __future__ import annotations

from typing import Any

import orjson

from tachograph.processors.enrichment.bounds import (
    ARGUMENTS_BYTES,
    ARGUMENTS_DEPTH,
    ARGUMENTS_LEAF_BYTES,
    ARGUMENTS_NODES,
    ID_BYTES,
    clip,
)

__all__ = ["bounded"]

_NAMELESS = "_"


def bounded(value: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The object within all bounds, and whether it is still whole; empty where it is too large altogether."""
    cutter = _Cutter()
    found = cutter.mapping(value, ARGUMENTS_DEPTH)
    if len(orjson.dumps(found)) > ARGUMENTS_BYTES:
        return {}, False
    return found, cutter.whole


class _Cutter:
    """One walk over one object, with one budget of nodes for all of it."""

    def __init__(self) -> None:
        self.whole = True
        self._left = ARGUMENTS_NODES

    def mapping(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in value.items():
            if not self._take():
                break
            found[self._key(key)] = self._value(item, depth - 1)
        return found

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._kept(value, clip(value, ARGUMENTS_LEAF_BYTES))
        if not isinstance(value, dict | list):
            return value
        if depth <= 0:
            self.whole = False
            return None
        if isinstance(value, dict):
            return self.mapping(value, depth)
        return [self._value(item, depth - 1) for item in value if self._take()]

    def _key(self, key: str) -> str:
        # The index reads dots as levels and refuses names that begin or end with one.
        return self._kept(key, clip(key.strip(". "), ID_BYTES) or _NAMELESS)

    def _kept(self, before: str, after: str) -> str:
        self.whole = self.whole and before == after
        return after

    def _take(self) -> bool:
        self._left -= 1
        if self._left < 0:
            self.whole = False
        return self._left >= 0
