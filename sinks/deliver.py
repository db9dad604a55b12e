"""From a batch of messages to documents: returns only when every record is where it belongs.

201 is good. 409 is decided by bytes: equal, or a stub of the same value, is good; anything else is an
equivocation: two contents under one identity, kept apart in the dead letter, never overwritten. 400 is buried
and a stub takes its place. Everything else is tried again without end, because nothing may be left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tachograph.sinks.backoff import delays
from tachograph.sinks.batch import Batch
from tachograph.sinks.bulk import Settled, body, settle
from tachograph.sinks.errors import CallRefused, Unavailable
from tachograph.sinks.record import Message, Record, read_message
from tachograph.sinks.remasked import remasked
from tachograph.sinks.stored import mget_body, read_stored
from tachograph.sinks.stub import stands_for, stub

__all__ = ["DeadLetters", "Delivery", "Documents", "Observer"]

T = TypeVar("T")
_ABOUT_THE_BODY = frozenset({400, 413})


class Documents(Protocol):
    """The cluster. Each call raises `Unavailable` or `CallRefused`."""

    def bulk(self, body: bytes) -> bytes: ...

    def mget(self, body: bytes) -> bytes: ...


class DeadLetters(Protocol):
    """Where refused records go; durable when `bury` returns. Raises `DeadLetterFlood` past its rate."""

    def bury(self, message: Message, *, reason: str, uid: str | None) -> None: ...


class Observer(Protocol):
    """What metrics and health want to know."""

    def settled(self, result: str, count: int) -> None: ...

    def retrying(self, reason: str) -> None: ...

    def equivocation(self, record: Record) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One lane's way to OpenSearch. `wait` sleeps for seconds and raises `Stopping` when the process ends."""

    index_prefix: str
    documents: Documents
    dead_letters: DeadLetters
    observer: Observer
    wait: Callable[[float], None]
    rng: random.Random

    def deliver(self, batch: Batch) -> None:
        """Settle every message of the batch. Raises `Stopping` or `DeadLetterFlood`, with some unsettled."""
        sound: list[Record] = []
        for message in batch.messages:
            record = read_message(message, index_prefix=self.index_prefix)
            if isinstance(record, str):
                self.dead_letters.bury(message, reason=record, uid=None)
                self.observer.settled("buried", 1)
            elif record.defect is not None:
                self._replace(record, record.defect)
            else:
                sound.append(record)
        self._create(sound)

    def _create(self, records: Sequence[Record]) -> None:
        pauses = delays(self.rng)
        while records:
            try:
                settled = self._send([(record, record.value) for record in records], whole=False)
            except CallRefused as refusal:
                self._halve(records, refusal)
                return
            self.observer.settled("created", len(settled.created))
            vanished = self._compare(settled.conflicts)
            for record, reason in settled.refused:
                self._replace(record, reason)
            records = [*vanished, *(record for record, _ in settled.retry)]
            if settled.retry:
                self.observer.retrying(settled.retry[0][1])
                self.wait(next(pauses))

    def _halve(self, records: Sequence[Record], refusal: CallRefused) -> None:
        # The call was refused because of what is in it: find the record by halving.
        if len(records) == 1:
            self._replace(records[0], refusal.kind)
            return
        middle = len(records) // 2
        self._create(records[:middle])
        self._create(records[middle:])

    def _compare(self, conflicts: Sequence[Record]) -> list[Record]:
        """Decide every conflict by the stored bytes; returns those whose document has vanished meanwhile."""
        if not conflicts:
            return []
        vanished: list[Record] = []
        for record, stored in zip(conflicts, self._stored(conflicts), strict=True):
            if stored is None:
                vanished.append(record)
            else:
                self._recognise(record, stored)
        return vanished

    def _recognise(self, record: Record, stored: bytes) -> None:
        if stored == record.value:
            self.observer.settled("equal", 1)
        elif stands_for(stored, record):
            self.observer.settled("stub", 1)
        elif remasked(stored, record.value):
            self.observer.settled("remasked", 1)
        else:
            self.observer.equivocation(record)
            self.dead_letters.bury(record.message, reason="equivocation", uid=record.uid)

    def _replace(self, record: Record, reason: str) -> None:
        """Bury a record that cannot be a document and let a stub stand for it, once for all readings."""
        (stored,) = self._stored([record])
        if stored is not None:
            self._recognise(record, stored)
            return
        self.dead_letters.bury(record.message, reason=reason, uid=record.uid)
        stand_in = [(record, stub(record, reason))]
        pauses = delays(self.rng)
        while True:
            settled = self._send(stand_in)
            if settled.created:
                self.observer.settled("refused", 1)
                return
            if settled.conflicts and not self._compare(settled.conflicts):
                return
            # Not even the stub is taken: that is the index's fault and not the record's.
            self.observer.retrying("stub-refused")
            self.wait(next(pauses))

    def _send(self, documents: Sequence[tuple[Record, bytes]], *, whole: bool = True) -> Settled:
        records = [record for record, _ in documents]
        return self._insist(lambda: settle(records, self.documents.bulk(body(documents))), whole=whole)

    def _stored(self, records: Sequence[Record]) -> tuple[bytes | None, ...]:
        return self._insist(lambda: read_stored(records, self.documents.mget(mget_body(records))))

    def _insist(self, call: Callable[[], T], *, whole: bool = True) -> T:
        """Call until there is a result. Unless `whole`, a refusal of the body is the caller's to handle."""
        for pause in delays(self.rng):
            try:
                return call()
            except Unavailable:
                reason = "unavailable"
            except CallRefused as refusal:
                if not whole and refusal.status in _ABOUT_THE_BODY:
                    raise
                reason = f"refused-{refusal.status}"
            self.observer.retrying(reason)
            self.wait(pause)
        raise AssertionError("the delays have no end")
