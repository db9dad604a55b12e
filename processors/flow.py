"""One raw record after the other: open, assemble, mask and enrich, send; finished when delivered.

Nothing here raises for a record: it is processed, or it goes to the dead letter, and only then is its place
in the partition given up. What is wrong with the infrastructure, or with us, raises and ends the process.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import structlog

from tachograph.processors.assemble import Assembly, Piece, Ready
from tachograph.processors.attempts import BARE_TRIES, KILLED, WHOLE_TRIES, Attempts
from tachograph.processors.deadletter import Budget, Origin, letter_headers
from tachograph.processors.errors import BrokerFault, KeyMissing, Poisoned
from tachograph.processors.faults import Faults
from tachograph.processors.gaps import Gap
from tachograph.processors.key_waits import cipher_of, patiently
from tachograph.processors.keys_cache import KeysReader
from tachograph.processors.lanes import Lane, Lanes, Place
from tachograph.processors.ledger import Admission, Ticket
from tachograph.processors.masking.carried import NOTHING, Carried
from tachograph.processors.metrics import Metrics
from tachograph.processors.pipeline import REQUEST_UNKNOWN, Pipeline, Told
from tachograph.processors.publish import Publisher
from tachograph.processors.recent import Recent
from tachograph.processors.record import Emitted
from tachograph.processors.unseal import open_piece, parse_record
from tachograph.schemas.envelope import SealedRecord
from tachograph.schemas.escrow import EscrowRecord, Taken
from tachograph.schemas.keys import strand_name
from tachograph.schemas.payload import DecisionMeta, RequestMeta, ResponseMeta
from tachograph.schemas.topics import Topics

__all__ = ["KEY_WAIT_S", "Flow", "FlowParts", "Incoming"]

KEY_WAIT_S = 15.0
"""How long a record waits for its key. The gateway writes the key first, so waiting at all is rare."""
KEYS_OUTAGE_S = 900.0
"""How long the keys topic may be unreadable while a record waits for it, before the process ends."""
KEY_POLL_S = 0.05
ASIDE_BYTES = 256 << 10
"""Bodies larger than this are masked in a thread, so that signals and deliveries are still served."""
MISSING_STRANDS = 10_000

_log = structlog.get_logger(__name__)


class Incoming(Protocol):
    """A message as Faust gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    generation_id: int | None


@dataclass(frozen=True, slots=True)
class FlowParts:
    """What a flow is made of."""

    topics: Topics
    lanes: Lanes
    keys: KeysReader
    pipeline: Pipeline
    publisher: Publisher
    budget: Budget
    metrics: Metrics
    look_into: Callable[[Place, int], Gap]
    recall: Callable[[Place, Piece], Ready | None]
    attempts: Attempts
    stopped: Callable[[int], object | None]
    """Why a partition stands still; None where it does not."""
    faults: Faults
    settle: Callable[[str | None], Awaitable[None]] | None = None
    """Makes sure of a registry's maskers before a record that names it is masked."""
    escrow: Callable[[Taken], Iterable[EscrowRecord]] | None = None
    """Seals what was taken out of a record for the two holders; None where nobody holds keys."""


class Flow:
    """The worker's body."""

    def __init__(self, parts: FlowParts) -> None:
        self._parts = parts
        self._missing: Recent[str] = Recent(MISSING_STRANDS)

    async def take(self, message: Incoming) -> None:
        """Process one record to the point where only deliveries are outstanding."""
        place = Place(message.topic, message.partition)
        lane = self._parts.lanes.find(place, message.generation_id)
        if lane is None:
            return
        if lane.stopped or self._parts.stopped(place.partition) is not None:
            lane.stopped = True  # it is read again from here when it may go on
            return
        admission = lane.ledger.admit(message.offset)
        if admission is Admission.SEEN:
            return
        if admission is Admission.GAP:
            await self._cross(lane, message.offset)
        ticket = lane.ledger.begin(message.offset)
        lane.reached_s = message.timestamp
        released = await self._process(lane, ticket, message)
        ticket.close(released)
        self._parts.faults.at("after-close")
        self._parts.metrics.records.inc()
        await self._parts.publisher.room()

    async def drained(self) -> None:
        """Return when all that was sent is delivered."""
        await self._parts.publisher.drained()

    async def _process(self, lane: Lane, ticket: Ticket, message: Incoming) -> tuple[Any, ...]:
        self._parts.faults.at("before-open")
        again = message.offset < lane.ledger.replayed_until  # its events are on the masked topic already
        record: SealedRecord | None = None
        try:
            record = parse_record(message.value)
            assembly = lane.assembler.take(await self._opened(record, message.offset))
        except Poisoned as error:
            if not again:
                self._dead_letter(ticket, message, record, error)
            return ()
        if assembly.held is not None:
            lane.ledger.hold(assembly.held, message.offset)
        if not again:
            await self._emit(lane, ticket, message, record, assembly)
        return assembly.released

    async def _emit(
        self, lane: Lane, ticket: Ticket, message: Incoming, record: SealedRecord, assembly: Assembly
    ) -> None:
        for ready in assembly.ready:
            try:
                told = await self._told(lane, self._spared(lane.place, message.offset, ready), message.offset)
            except Poisoned as error:
                self._dead_letter(ticket, message, record, error)
                continue
            self._parts.faults.at("after-mask")
            for event in told.events:
                self._send(ticket, event, lane.messages)
                await self._parts.publisher.room()
            await self._escrow(ticket, told.taken)

    async def _escrow(self, ticket: Ticket, taken: Iterable[Taken]) -> None:
        """Under the record's own ticket: it is not committed before these are acknowledged too."""
        if self._parts.escrow is None:
            return
        for one in taken:
            for sealed in self._parts.escrow(one):
                topic = self._parts.topics.escrow
                self._parts.publisher.send(ticket, topic, sealed.name, sealed.encode(), [])
                await self._parts.publisher.room()

    def _spared(self, place: Place, offset: int, ready: Ready) -> Ready:
        """Without its body where it has ended processes; raises `Poisoned` where it did so even then."""
        deaths = self._parts.attempts.deaths(place, offset)
        if deaths < WHOLE_TRIES:
            return ready
        if deaths < WHOLE_TRIES + BARE_TRIES:
            return replace(ready, withheld=KILLED)
        raise Poisoned(KILLED, f"{deaths} processes ended while they masked it")

    async def _told(self, lane: Lane, ready: Ready, offset: int) -> Told:
        """The events of one record, masked also by what its exchange held before."""
        exchange, meta = ready.piece.header.exchange, ready.piece.meta
        if self._parts.settle is not None:
            await self._parts.settle(ready.piece.header.registry)
        later = isinstance(meta, ResponseMeta | DecisionMeta)
        carried = await self._carried(lane, ready, offset) if later else NOTHING
        run = partial(self._parts.pipeline.run, ready, known=lane.messages, carried=carried)
        with self._parts.attempts.at(lane.place, offset):
            told = await asyncio.to_thread(run) if _size(ready) > ASIDE_BYTES else run()
        if isinstance(meta, RequestMeta) and exchange is not None:
            lane.exchanges.keep(exchange, told.carried)
        return told

    async def _carried(self, lane: Lane, ready: Ready, offset: int) -> Carried:
        """What the request of this answer held: from memory, else from the raw topic itself (ADR 0017)."""
        answer, attempts = ready.piece, self._parts.attempts
        exchange = answer.header.exchange
        if exchange is None:
            return Carried(refused=REQUEST_UNKNOWN)
        last = isinstance(answer.meta, ResponseMeta)
        carried = lane.exchanges.take(exchange) if last else lane.exchanges.look(exchange)
        if carried is not None:
            return carried
        if ready.withheld == KILLED:  # masking its request again may be what does it
            return Carried(refused=KILLED)
        self._parts.metrics.recalled.inc()
        request = await patiently(partial(self._parts.recall, lane.place, answer))
        if request is None:
            return Carried(refused=REQUEST_UNKNOWN)
        if attempts.deaths(lane.place, request.piece.offset) >= WHOLE_TRIES:
            return Carried(refused=KILLED)
        with attempts.at(lane.place, offset):
            carried = await asyncio.to_thread(self._parts.pipeline.carried, request)
        if not last:
            lane.exchanges.keep(exchange, carried)
        return carried

    def _send(self, ticket: Ticket, event: Emitted, known: Recent[uuid.UUID]) -> None:
        if event.type == "message" and not known.add(event.uid):
            return  # the same one twice in one record
        headers: list[tuple[str, str | bytes | None]] = [
            ("uid", str(event.uid)),
            ("type", event.type),
            ("day", event.day),
            ("content-type", "application/json"),
        ]
        key = str(event.session).encode()
        self._parts.publisher.send(ticket, self._parts.topics.masked, key, event.value, headers)
        self._parts.metrics.events.inc()
        self._parts.faults.at("after-send")

    async def _opened(self, record: SealedRecord, offset: int) -> Piece:
        try:
            return await self._piece(record, offset)
        except KeyMissing as missing:
            await self._wait_for_key(missing)
        return await self._piece(record, offset)

    async def _piece(self, record: SealedRecord, offset: int) -> Piece:
        table, header = self._parts.keys.table, record.header
        if table.local:
            return open_piece(record, offset, table.cipher)
        cipher = await cipher_of(table, strand_name(header.session, header.epoch))
        return open_piece(record, offset, lambda _: cipher)

    async def _wait_for_key(self, missing: KeyMissing) -> None:
        """Return when the key may be there; raises `missing` when the topic does not have it."""
        if missing.strand in self._missing:
            raise missing
        self._parts.metrics.key_waits.inc()
        table = self._parts.keys.table
        table.wanted.add(missing.strand)
        try:
            await self._watch(missing)
        finally:
            table.wanted.discard(missing.strand)

    async def _watch(self, missing: KeyMissing) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        looked = self._parts.keys.ask()
        while not self._parts.keys.table.knows(missing.strand):
            waited = loop.time() - began
            if waited >= KEYS_OUTAGE_S:
                raise BrokerFault(f"the keys topic has been unreadable for {KEYS_OUTAGE_S:.0f} s")
            if waited >= KEY_WAIT_S and looked():
                self._missing.add(missing.strand)
                raise missing
            if looked():
                looked = self._parts.keys.ask()
            await asyncio.sleep(KEY_POLL_S)

    def _dead_letter(
        self, ticket: Ticket, message: Incoming, record: SealedRecord | None, error: Poisoned
    ) -> None:
        self._parts.budget.spend(error.reason)
        origin = Origin(message.topic, message.partition, message.offset, int(message.timestamp * 1000))
        _log.warning(
            "record to the dead letter", reason=error.reason, partition=origin.partition, offset=origin.offset
        )
        headers = letter_headers(origin, error, record)
        self._parts.publisher.send(ticket, self._parts.topics.deadletter, message.key, message.value, headers)
        self._parts.metrics.dead_letters.labels(error.reason).inc()
        self._parts.faults.at("after-dead-letter")

    async def _cross(self, lane: Lane, offset: int) -> None:
        expected = lane.ledger.next_offset
        gap = await asyncio.to_thread(self._parts.look_into, lane.place, expected)
        if gap.first < offset:
            raise BrokerFault(
                f"{lane.place.topic}/{lane.place.partition}: expected offset {gap.first}, got {offset}: the"
                " consumer left records out; a restart reads them"
            )
        if gap.expired:
            self._parts.metrics.raw_lost.inc(gap.expired)
            _log.error("raw records expired unread", partition=lane.place.partition, lost=gap.expired)
        lane.ledger.skip_to(offset)


def _size(ready: Ready) -> int:
    return len(ready.piece.body) + sum(len(piece.body) for piece in ready.chunks)
