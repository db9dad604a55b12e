"""What the requests of one partition held, until their answers come: a bounded memory, and only a memory.

The raw topic is the truth. What is pushed out here, or was never here because another process read the
request, is read again from there (`recall`), so no bound and no restart decides what is masked.
"""

from __future__ import annotations

import uuid

from tachograph.processors.masking.carried import Carried

__all__ = ["Exchanges"]

MAX_OPEN = 10_000
"""Exchanges of one partition whose answer is awaited; beyond it the oldest is forgotten."""
MAX_BYTES = 16 * 1024 * 1024
"""... and the bytes of their values."""


class Exchanges:
    """The open exchanges of one partition."""

    def __init__(self, *, limit: int = MAX_OPEN, limit_bytes: int = MAX_BYTES) -> None:
        self._limit, self._limit_bytes = limit, limit_bytes
        self._open: dict[uuid.UUID, Carried] = {}
        self._bytes = 0

    def __repr__(self) -> str:
        return f"Exchanges(open={len(self._open)}, bytes={self._bytes})"

    def __len__(self) -> int:
        return len(self._open)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self._bytes

    def keep(self, exchange: uuid.UUID, carried: Carried) -> None:
        """Remember what a request held; the oldest are forgotten where there is no room."""
        self.take(exchange)
        self._open[exchange] = carried
        self._bytes += carried.size
        while len(self._open) > self._limit or self._bytes > self._limit_bytes:
            self.take(next(iter(self._open)))

    def look(self, exchange: uuid.UUID) -> Carried | None:
        """What the request of this exchange held, and go on remembering it: its answer is still to come."""
        return self._open.get(exchange)

    def take(self, exchange: uuid.UUID) -> Carried | None:
        """What the request of this exchange held, and forget it; None where it is not remembered."""
        carried = self._open.pop(exchange, None)
        if carried is not None:
            self._bytes -= carried.size
        return carried
