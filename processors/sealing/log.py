"""What one partition's log is, and how it grows: pure, so that a second reading gives the same tree.

A record is appended where the one before it ended. One that comes again was appended before; where records
are missing, a leaf says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.leaf import GAP, Leaf, gap_data
from tachograph.schemas.merkle import Frontier, leaf_hash

__all__ = ["LogState", "Rhythm", "Taken", "checkpoint", "grown"]


@dataclass(frozen=True, slots=True)
class LogState:
    """Where a log stands: its right edge, and the next offset of the masked partition that it wants."""

    frontier: Frontier = field(default_factory=Frontier)
    next_offset: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """One record of the masked topic. `repr` shows no content."""

    offset: int
    value: bytes
    uid: UUID | None
    session: UUID | None
    type: str
    day: str | None

    def __repr__(self) -> str:
        return f"Taken(offset={self.offset}, type={self.type!r}, value=<{len(self.value)} bytes>)"


@dataclass(slots=True)
class Rhythm:
    """When a checkpoint is due: after so many leaves, or so many seconds of a monotonic clock."""

    leaves: int
    seconds: float
    size: int
    at: float | None = None
    """When the last one was signed by this process; None before the first, which is due at once."""

    def due(self, size: int, *, now: float) -> bool:
        return self.at is None or size - self.size >= self.leaves or now - self.at >= self.seconds

    def kept(self, size: int, *, now: float) -> None:
        """One was published."""
        self.size, self.at = size, now


def grown(state: LogState, records: Sequence[Taken]) -> tuple[LogState, tuple[Leaf, ...]]:
    """The log after these records, and the leaves that are new. Records are in order of their offsets."""
    leaves: list[Leaf] = []
    size, offset = state.frontier.size, state.next_offset
    for record in records:
        if record.offset < offset:
            continue
        if record.offset > offset:
            data = gap_data(offset, record.offset)
            leaves.append(Leaf(index=size + len(leaves), offset=offset, leaf=leaf_hash(data).hex(), type=GAP))
        leaves.append(
            Leaf(
                index=size + len(leaves),
                offset=record.offset,
                leaf=leaf_hash(record.value).hex(),
                type=record.type,
                uid=record.uid,
                session=record.session,
                day=record.day,
            )
        )
        offset = record.offset + 1
    frontier = state.frontier.extended(bytes.fromhex(leaf.leaf) for leaf in leaves)
    return LogState(frontier, offset), tuple(leaves)


def checkpoint(origin: str, state: LogState, *, time: str) -> Checkpoint:
    """What is to be signed about the log as it stands; `time` is RFC 3339 in UTC."""
    return Checkpoint(origin, state.frontier.size, state.frontier.root(), time=time, offset=state.next_offset)
