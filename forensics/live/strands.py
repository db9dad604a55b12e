"""Every place of every strand: which a document stands for, which a leaf alone, which nothing does.

State is a few numbers for a strand that came in order. What heartbeats say is held against it at the end, as
far as they are old enough for all that they count to have arrived.
"""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.places import MAX_HOLE
from tachograph.forensics.verify.report import Findings
from tachograph.schemas.event import GENESIS, EventType, Header, header_hash, strand_uids
from tachograph.schemas.heartbeat import StrandState

__all__ = ["Strands"]

Key = tuple[uuid.UUID, uuid.UUID]


@dataclass(slots=True)
class _Strand:
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Places that documents stand for: from `starts[i]` to before `ends[i]`, ascending, none touching."""
    head: str | None = None
    """The hash of the header before `ends[-1]`, where that is known."""
    records: int = 0
    """As many a heartbeat counts."""
    said: str = ""
    """The head that goes with it."""
    named: bool = False

    def add(self, seq: int) -> bool:
        """Whether the place is new."""
        at = bisect_right(self.starts, seq)
        if at and seq < self.ends[at - 1]:
            return False
        if at and self.ends[at - 1] == seq:
            self.ends[at - 1] = seq + 1
        else:
            self.starts.insert(at, seq)
            self.ends.insert(at, seq + 1)
            at += 1
        if at < len(self.starts) and self.starts[at] == self.ends[at - 1]:
            self.ends[at - 1] = self.ends.pop(at)
            del self.starts[at]
        return True

    @property
    def top(self) -> int:
        return self.ends[-1] if self.ends else 0

    def holes(self, first: int) -> Iterator[tuple[int, int]]:
        """The places from `first` on, up to the last that is known of, that no document stands for."""
        for start, end in zip(self.starts, self.ends, strict=True):
            if start > first:
                yield first, start
            first = max(first, end)
        if self.records > first:
            yield first, self.records


class Strands:
    """The strands of one audit. In `windowed` ones the places before the first document are not asked for."""

    def __init__(self, findings: Findings, *, windowed: bool = False) -> None:
        self._findings, self._windowed = findings, windowed
        self._known: dict[Key, _Strand] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def unattested(self) -> int:
        """Strands that no heartbeat named."""
        return sum(not item.named for item in self._known.values())

    def add(self, header: Header, canonical: bytes) -> bool:
        """One record by its document; whether it is the first of its place."""
        key, seq = (header.session, header.epoch), header.seq
        strand = self._known.setdefault(key, _Strand())
        follows = seq == strand.top and bool(strand.starts)
        expected = GENESIS if seq == 0 else strand.head if follows else None
        if not strand.add(seq):
            return False
        if (seq == 0) != (header.type is EventType.SESSION_OPEN):
            self._broken(key, seq, "a strand begins with session.open, and only once")
        if expected is not None and header.prev != expected:
            self._broken(key, seq, "`prev` is not the hash of the header before")
        if seq + 1 == strand.top:
            strand.head = header_hash(canonical)
        return True

    def told(self, state: StrandState) -> None:
        """What a heartbeat says of a strand, which is so old that all it counts must have arrived."""
        strand = self._known.setdefault((uuid.UUID(state.session), uuid.UUID(state.epoch)), _Strand())
        strand.named = True
        if state.records > strand.records:
            strand.records, strand.said = state.records, state.head

    def judge(self, leaves: Callable[[uuid.UUID], Container[bytes] | None]) -> set[uuid.UUID]:
        """Name what is missing. `leaves` are the uids (bytes) of a session's leaves that no document stands
        for, None for a session of which there is no leaf. Returns the sessions that are missing as a whole.
        """
        gone: set[uuid.UUID] = set()
        for key, strand in self._known.items():
            there = leaves(key[0])
            if there is None and not strand.starts:
                if not self._windowed:
                    gone.add(key[0])
                continue
            self._judge(key, strand, there or frozenset())
        return gone

    def _judge(self, key: Key, strand: _Strand, there: Container[bytes]) -> None:
        uid, where = strand_uids(*key), f"session {key[0]}, strand {key[1]}"
        first = strand.starts[0] if self._windowed and strand.starts else 0
        if self._windowed and not strand.starts:
            return  # what there is of it may be older
        middle = tail = 0
        for start, end in strand.holes(first):
            missing = _missing(start, end, uid, there)
            if start >= strand.top:
                tail = missing
            else:
                middle += missing
        if not strand.starts and tail == strand.records:
            self._findings.add(Verdict.STRAND_MISSING, where, f"it had {tail} records")
        elif tail:
            self._findings.add(
                Verdict.TAIL_MISSING, where, f"{tail} of {strand.records} records have no leaf"
            )
        if middle:
            self._findings.add(Verdict.RECORD_MISSING, where, f"{middle} places have no leaf")
        if strand.records == strand.top and strand.head not in (None, strand.said):
            self._broken(key, strand.top - 1, "a heartbeat has another head")

    def _broken(self, key: Key, seq: int, text: str) -> None:
        self._findings.add(Verdict.CHAIN_BROKEN, f"session {key[0]}, strand {key[1]}, seq {seq}", text)


def _missing(start: int, end: int, uid: Callable[[int], str], there: Container[bytes]) -> int:
    if end - start > MAX_HOLE:
        return end - start
    return sum(uuid.UUID(uid(place)).bytes not in there for place in range(start, end))
