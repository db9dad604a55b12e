"""Records wait here until they are worth a call: enough bytes, enough records, or old enough.

The clock is passed in. What comes out keeps the order in which it came in.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from tachograph.sinks.bulk import FULL_BYTES, FULL_RECORDS
from tachograph.sinks.offsets import Partition
from tachograph.sinks.record import Message

__all__ = ["FLUSH_SECONDS", "Batch", "Batcher"]

FLUSH_SECONDS = 0.2
"""The longest that a record waits for company; with a refresh each second it is searchable within 2 s."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one call."""

    messages: tuple[Message, ...]

    @property
    def size(self) -> int:
        return sum(len(message.value) for message in self.messages)


class Batcher:
    """Cuts what is received into batches of at least `FULL_BYTES`, or of what has waited long enough."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Message]] = []
        self._bytes = 0

    def add(self, message: Message, *, now: float) -> None:
        """Take one message; `now` is monotonic seconds."""
        self._waiting.append((now, message))
        self._bytes += len(message.value)

    @property
    def full(self) -> bool:
        """Whether a whole batch waits: no more should be read before it is taken."""
        return self._bytes >= FULL_BYTES or len(self._waiting) >= FULL_RECORDS

    def due(self, *, now: float) -> bool:
        """Whether a batch should be taken now."""
        return self.full or (bool(self._waiting) and now - self._waiting[0][0] >= FLUSH_SECONDS)

    def take(self) -> Batch:
        """The next batch, cut as soon as it is full; the rest keeps waiting."""
        size = count = 0
        for _, message in self._waiting:
            if size >= FULL_BYTES or count >= FULL_RECORDS:
                break
            size += len(message.value)
            count += 1
        taken = tuple(message for _, message in self._waiting[:count])
        del self._waiting[:count]
        self._bytes -= size
        return Batch(taken)

    def drop(self, partitions: Container[Partition]) -> None:
        """Forget what waits of partitions that are not ours any more."""
        self._waiting = [item for item in self._waiting if item[1].origin not in partitions]
        self._bytes = sum(len(message.value) for _, message in self._waiting)
