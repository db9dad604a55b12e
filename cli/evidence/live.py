"""`tacho verify --live`: the logs, their checkpoints and OpenSearch read side by side, while everything runs.

The order makes it sound: first how far each part has come, then the checkpoints, then the leaves, then the
documents. So nothing is missed that only was not there yet. Leaves are read twice, documents once, in
batches; the next ones are fetched while one is compared.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from tachograph.cli.evidence.ahead import ahead
from tachograph.forensics.deletion.plan import Target
from tachograph.forensics.live.lawful import Lawful
from tachograph.forensics.live.log import LogCheck
from tachograph.forensics.live.positions import Marks
from tachograph.forensics.live.records import Records, Window
from tachograph.forensics.live.report import LiveReport, Unaudited
from tachograph.forensics.log_source import DeadLetter
from tachograph.forensics.published import Published
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.logs import seconds
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.schemas.deletion import DELETION_TYPES
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.event import EventType
from tachograph.schemas.leaf import GAP, Leaf
from tachograph.sinks.buried import is_stub_of
from tachograph.sinks.record import index_of

__all__ = ["AHEAD", "GRACE_SECONDS", "Asked", "Audit"]

BATCH = 100
"""Documents of one call; each has at most 2 MiB."""
AHEAD = 3
"""Batches that are fetched while one is compared: so many more of them are in memory, and calls under way."""
GRACE_SECONDS = 30.0
"""So long what a heartbeat counts may be on its way to Kafka, and a document invisible to a search."""
SKEW_SECONDS = 300.0
"""So far a gateway's clock may be ahead of ours; what says a later time is asked for in every audit."""
MAX_LISTED = 1_000_000
"""Ids that are compared one by one: where counts differ, and of what is of no possible time."""
Tell = Callable[[str], None]
Batch = tuple[str, list[Leaf]]
"""A log's origin and some of its leaves."""
Surplus = dict[str, set[str]]
"""By uid: the indices that hold a document under it, as long as no leaf stands for that."""


class Source(Protocol):
    """What is asked of the seal log."""

    def partitions(self) -> int: ...
    def checkpoints(self) -> Mapping[str, Sequence[Published]]: ...
    def values(self, partition: int) -> Iterator[bytes]: ...
    def dead_letters(self, uids: Collection[str]) -> Iterator[DeadLetter]: ...
    def values_with_frontiers(self, partition: int) -> Iterator[tuple[bytes, bytes | None]]: ...


class Stored(Protocol):
    """What is asked of OpenSearch."""

    prefix: str

    def stored(self, targets: Sequence[Target]) -> dict[str, bytes]: ...
    def counts(self, query: dict[str, Any]) -> dict[str, int]: ...
    def ids(self, index: str, query: dict[str, Any] | None = None) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What to audit: from `since` (Unix seconds, 0 for all), one session or all."""

    since: float = 0.0
    session: uuid.UUID | None = None


@dataclass(slots=True)
class Audit:
    """One audit. `marks` asks how far the parts are, `origin` names a partition's log."""

    source: Source
    store: Stored
    marks: Callable[[], Marks]
    origin: Callable[[int], str]
    policy: TrustPolicy
    asked: Asked
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    report: LiveReport = field(default_factory=LiveReport)
    _openings: dict[uuid.UUID, Leaf] = field(default_factory=dict)
    _statements: list[tuple[str, Leaf]] = field(default_factory=list)

    def run(self) -> LiveReport:
        """Everything, one after the other."""
        begun, marks = self.clock(), self.marks()
        logs = self._logs()
        window = Window(
            self.asked.since,
            self.asked.session,
            _horizon(marks, logs),
            whole=not self.asked.since and not self.report.unaudited[Unaudited.NO_LEAF],
        )
        records = Records(self.report, self._lawful(), self.policy.gateways, window)
        self.report.unaudited[Unaudited.UNMASKED] += marks.unmasked
        batches = self._batches(logs, marks, records)
        for (origin, batch), found in ahead(batches, self._fetched_of, most=AHEAD):
            self._compare(origin, batch, found, records)
        self._second_look(records, self._surplus(records))
        records.finish()
        self.report.seconds = self.clock() - begun
        return self.report

    def _logs(self) -> list[LogCheck]:
        published = self.source.checkpoints()
        checks = []
        for partition in range(self.source.partitions()):
            origin = self.origin(partition)
            trusted = [item for item in self.policy.logs if item.parsed.name == origin]
            check = LogCheck(origin, published.get(origin, ()), trusted, self.report.findings)
            for value, frontier in self.source.values_with_frontiers(partition):
                leaf = check.take(value, frontier)
                if leaf is not None:
                    self._remember(origin, leaf)
                if check.next % 10_000 == 0:
                    self.tell(f"{origin}: {check.next} leaves")
            check.finish()
            self.report.unaudited[Unaudited.NO_LEAF] += check.gone
            if check.last is not None:
                self.report.sealed.append((origin, check.covered, check.last.time or ""))
            checks.append(check)
        return checks

    def _remember(self, origin: str, leaf: Leaf) -> None:
        if leaf.type in DELETION_TYPES:
            self._statements.append((origin, leaf))
        part = self.asked.since or self.asked.session  # else boots come by before their heartbeats
        if part and leaf.type == EventType.SESSION_OPEN.value and leaf.session is not None:
            self._openings.setdefault(leaf.session, leaf)

    def _lawful(self) -> Lawful:
        keys = [item.parsed for item in self.policy.deletions if not item.revoked]
        lawful = Lawful(keys, self.report.findings)
        for start in range(0, len(self._statements), BATCH):
            batch = self._statements[start : start + BATCH]
            found = self._fetched([leaf for _, leaf in batch])
            for origin, leaf in batch:
                lawful.add(origin, leaf, found.get(str(leaf.uid)))
        return lawful

    def _batches(self, logs: Sequence[LogCheck], marks: Marks, records: Records) -> Iterator[Batch]:
        """The leaves whose documents are to be compared, so many at a time; all others are counted."""
        for partition, check in enumerate(logs):
            wanted = self._wanted(partition, check, marks.stored.get(partition, 0), records)
            while batch := list(islice(wanted, BATCH)):
                yield check.origin, batch
            left = marks.masked.get(partition, 0) - check.offset
            self.report.unaudited[Unaudited.UNSEALED] += max(left, 0)

    def _wanted(self, partition: int, check: LogCheck, stored: int, records: Records) -> Iterator[Leaf]:
        first = check.since(self.asked.since) if self.asked.since else 0
        gap: Leaf | None = None
        for value in self.source.values(partition):
            leaf = _parsed(value)
            if leaf is None:
                continue
            if leaf.index < first:
                records.passed(check.origin, leaf)
                continue
            if leaf.index >= check.next:
                break
            if gap is not None:
                self.report.unaudited[Unaudited.GAP] += leaf.offset - gap.offset
            gap = leaf if leaf.type == GAP else None
            if gap is not None or not records.wants(leaf):
                continue
            why = _why_not(leaf, check.covered, stored)
            if why is not None:
                self.report.unaudited[why] += 1
                records.known(leaf)
                continue
            yield leaf

    def _compare(
        self, origin: str, batch: Sequence[Leaf], found: Mapping[str, bytes], records: Records
    ) -> None:
        for leaf in batch:
            records.take(origin, leaf, found.get(str(leaf.uid)), self._index(leaf))
        for boot in records.uncertified():
            opening = self._openings.get(boot)
            document = self._fetched([opening]).get(str(opening.uid)) if opening is not None else None
            if opening is not None and document is not None:
                records.certified(document, opening)
        records.settle()
        self.tell(f"{origin}: {self.report.audited} documents compared")

    def _surplus(self, records: Records) -> Surplus:
        """Every document of an index that has another number of them in the window than leaves, and every one
        with no time, or with one that no record could have: a window of any size passes these over."""
        window, found = records.window, Surplus()
        if window.horizon is None:
            self.report.uncounted = "masking or sealing is behind, or has not begun"
            return found
        if self.report.unaudited[Unaudited.NO_LEAF]:
            self.report.uncounted = "leaves are gone from the topic"
            return found
        possible = {"range": {"time": _span(0, self.now() + SKEW_SECONDS)}}
        self._list({"must_not": [possible]}, records, Counter(), found)
        within = {"range": {"time": _span(window.since, window.horizon)}}
        self._list({"filter": [within]}, records, records.stored, found)
        return found

    def _list(
        self, asked: dict[str, Any], records: Records, stored: Mapping[str, int], found: Surplus
    ) -> None:
        """Add to `found` what is asked for of the indices that have another number of it than is known of."""
        session = records.window.session
        if session is not None:
            ours = {"term": {"unmapped.tacho.session": str(session)}}
            asked = asked | {"filter": [*asked.get("filter", ()), ours]}
        query = {"bool": asked}
        for index, count in sorted(self.store.counts(query).items()):
            if count == stored.get(index, 0):
                continue
            if len(found) + count > MAX_LISTED:
                self.report.uncounted = f"{index} has {count} documents, {stored.get(index, 0)} have a leaf"
                continue
            self.tell(f"{index}: listing {count} documents")
            for uid in self.store.ids(index, query):
                found.setdefault(uid, set()).add(index)

    def _second_look(self, records: Records, surplus: Surplus) -> None:
        """Through all leaves again, where something did not fit."""
        if not surplus and not records.altered:
            return
        self._leave_out(records, surplus)
        if records.stubs:
            self._dead_letters(records)
        if not surplus:
            return
        # Whatever was stored meanwhile, or came late, is sealed now.
        if not self.marks().caught_up:
            self.report.uncounted = f"sealing is behind; {len(surplus)} documents have no leaf yet"
            return
        self._leave_out(records, surplus)
        for uid, indices in surplus.items():
            for index in sorted(indices):
                text = "a document that no leaf was made of"
                self.report.findings.add(Verdict.RECORD_UNSEALED, f"{index}, record {uid}", text)

    def _dead_letters(self, records: Records) -> None:
        """Look for what stubs stand for: a document that OpenSearch refused is not one that was altered."""
        stored = {uid: document for uid, (_, document) in records.stubs.items()}
        for letter in self.source.dead_letters(stored):
            same = is_stub_of(
                stored[letter.uid], letter.value, letter.key, letter.headers, index_prefix=self.store.prefix
            )
            if same:
                records.refused(letter.uid, letter.value)

    def _leave_out(self, records: Records, surplus: Surplus) -> None:
        for partition in range(self.source.partitions()):
            for value in self.source.values(partition):
                leaf = _parsed(value)
                if leaf is None:
                    continue
                uid = str(leaf.uid)
                records.again(uid, leaf.leaf)
                if uid in surplus:
                    surplus[uid].discard(self._index(leaf))  # under its id in another index lies another
                    if not surplus[uid]:
                        del surplus[uid]

    def _fetched_of(self, batch: Batch) -> Mapping[str, bytes]:
        return self._fetched(batch[1])

    def _fetched(self, leaves: Sequence[Leaf]) -> Mapping[str, bytes]:
        return self.store.stored([Target(str(leaf.uid), leaf.type, leaf.day or "") for leaf in leaves])

    def _index(self, leaf: Leaf) -> str:
        return index_of(self.store.prefix, leaf.type, leaf.day or "")


def _horizon(marks: Marks, logs: Sequence[LogCheck]) -> float | None:
    """Before this time (Unix seconds) everything must be covered by a checkpoint; None where nobody knows."""
    times = [float(seconds(check.last.time or "")) if check.last else None for check in logs]
    known = [time for time in (marks.sealed_until, *times) if time is not None]
    return min(known) - GRACE_SECONDS if len(known) == len(times) + 1 else None


def _span(since: float, until: float) -> dict[str, int]:
    return {"gte": int(since * 1000), "lt": int(until * 1000)}


def _why_not(leaf: Leaf, covered: int, stored: int) -> Unaudited | None:
    if leaf.index >= covered:
        return Unaudited.UNSEALED
    if leaf.uid is None or leaf.session is None or leaf.day is None:
        return Unaudited.UNNAMED
    return Unaudited.UNINDEXED if leaf.offset >= stored else None


def _parsed(value: bytes) -> Leaf | None:
    try:
        return Leaf.parse(value)
    except MalformedRecord:
        return None  # the first reading has named it
