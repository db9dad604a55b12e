"""A bounded memory of things seen lately, the oldest forgotten first."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

MAX_RECENT = 100_000

T = TypeVar("T", bound=Hashable)


class Recent(Generic[T]):
    """Remembers the last `limit` different things."""

    def __init__(self, limit: int = MAX_RECENT) -> None:
        self._limit = limit
        self._seen: dict[T, None] = {}

    def __contains__(self, thing: object) -> bool:
        return thing in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, thing: T) -> bool:
        """Remember it as the newest; True if it was not remembered before."""
        new = self._seen.pop(thing, self) is self
        self._seen[thing] = None
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]
        return new
