"""Which offset may be committed: the first one of a partition that is not yet acknowledged, and no later one.

Acknowledgements come in any order. Offsets of one partition may have holes (compaction, transactions); what
counts is the order in which they were received. An acknowledgement of an offset that is not waiting is a fact
about the document, not about this assignment, and is dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

__all__ = ["Offsets", "Partition"]

Partition = tuple[str, int]
"""(topic, partition)."""


class Offsets:
    """The partitions that this consumer holds, each with its received and its acknowledged offsets."""

    def __init__(self) -> None:
        self._waiting: dict[Partition, OrderedDict[int, bool]] = {}
        self._next: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Start to track partitions; one that is tracked already goes on as it was."""
        for partition in partitions:
            self._waiting.setdefault(partition, OrderedDict())

    def revoke(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions: whatever is not committed will be read again by their next owner."""
        for partition in partitions:
            for table in (self._waiting, self._next, self._committed):
                table.pop(partition, None)

    def received(self, partition: Partition, offset: int) -> bool:
        """Note a received offset; False when the partition is not ours any more."""
        waiting = self._waiting.get(partition)
        if waiting is None:
            return False
        waiting.setdefault(offset, False)
        return True

    def acknowledge(self, partition: Partition, offset: int) -> None:
        """Note that the record at this offset is where it belongs."""
        waiting = self._waiting.get(partition)
        if waiting is None or offset not in waiting:
            return
        waiting[offset] = True
        while waiting and waiting[first := next(iter(waiting))]:
            del waiting[first]
            self._next[partition] = max(first + 1, self._next.get(partition, 0))

    def committable(self) -> dict[Partition, int]:
        """Next offset to read for each partition where that has moved since the last commit."""
        return {part: at for part, at in self._next.items() if at > self._committed.get(part, -1)}

    def committed(self, offsets: dict[Partition, int]) -> None:
        """Note what the broker took."""
        for partition, offset in offsets.items():
            if partition in self._waiting:
                self._committed[partition] = max(offset, self._committed.get(partition, -1))

    @property
    def partitions(self) -> tuple[Partition, ...]:
        return tuple(self._waiting)

    @property
    def unacknowledged(self) -> int:
        """How many records were received and are not yet where they belong."""
        return sum(len(waiting) for waiting in self._waiting.values())
