"""Secure random bytes by the page: one system call for many salts, each handed out once.

The page belongs to one process: it is made in the worker that draws from it, after any fork.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["PAGE_BYTES", "RandomPage"]

PAGE_BYTES = 4096


class RandomPage:
    """Call it with a number of bytes, as its source."""

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._page = b""
        self._next = 0

    def __repr__(self) -> str:
        return "RandomPage()"

    def __call__(self, length: int) -> bytes:
        start, end = self._next, self._next + length
        if end > len(self._page):
            if length > PAGE_BYTES:
                return self._source(length)
            self._page = self._source(PAGE_BYTES)
            start, end = 0, length
        self._next = end
        return self._page[start:end]
