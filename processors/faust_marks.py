"""Faust's consumer, taught to commit the ledger's marks and to begin where they say.

Faust keeps reading, rebalancing and heartbeats. Its own acknowledgements are not used: they commit past a
record that is still held. What is overridden here is what decides offsets, and nothing else (ADR 0013).
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.sensors import Monitor
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from tachograph.processors.lanes import Lanes, Mark, Place
from tachograph.processors.ledger import decode_mark, encode_mark

__all__ = ["MarkedTransport", "QuietMonitor"]

COMMIT_ON_REVOKE_S = 3.0
"""How long a revocation waits for its last commit; without it the next owner only re-reads a little more."""

_log = structlog.get_logger(__name__)


class MarkedThread(AIOKafkaConsumerThread):
    """The thread that owns the aiokafka client."""

    async def read_marks(self) -> dict[Place, Mark]:
        """Where each assigned partition goes on, and seek there."""
        return cast("dict[Place, Mark]", await self.call_thread(self._read_marks))

    async def commit_marks(self, marks: dict[Place, Mark]) -> bool:
        """Commit; False where Kafka would not (the next interval tries again)."""
        return cast("bool", await self.call_thread(self._commit_marks, marks))

    async def _read_marks(self) -> dict[Place, Mark]:
        consumer = self._ensure_consumer()
        assigned = list(consumer.assignment())
        if not assigned:
            return {}
        committed = await consumer._coordinator.fetch_committed_offsets(assigned)  # noqa: SLF001  only it gives metadata
        first = await consumer.beginning_offsets(assigned)
        last = await consumer.end_offsets(assigned)
        marks = {}
        for tp in assigned:
            mark = _mark(committed.get(tp), first=first[tp], last=last[tp])
            consumer.seek(tp, mark.resume)
            marks[Place(tp.topic, tp.partition)] = mark
        return marks

    async def _commit_marks(self, marks: dict[Place, Mark]) -> bool:
        offsets = {
            TopicPartition(*place): OffsetAndMetadata(mark.resume, encode_mark(mark.done))
            for place, mark in marks.items()
        }
        try:
            await self._ensure_consumer().commit(offsets)
        except KafkaError as error:
            # Rebalanced away, or the coordinator is not there: nothing is lost by committing later.
            _log.warning("commit refused, trying again", error=type(error).__name__)
            return False
        return True


def _mark(committed: OffsetAndMetadata | None, *, first: int, last: int) -> Mark:
    if committed is None or committed.offset < 0:
        return Mark(first, first)
    if not first <= committed.offset <= last:
        # Retention overtook us, or the topic was made anew: the worker says so when it meets the gap.
        _log.error(
            "committed offset lies outside the topic", committed=committed.offset, first=first, last=last
        )
        resume = min(committed.offset, first)
        return Mark(resume, resume)
    return Mark(committed.offset, decode_mark(committed.metadata, resume=committed.offset))


class MarkedConsumer(Consumer):
    """Faust's consumer with our offsets."""

    def _new_consumer_thread(self) -> MarkedThread:
        return MarkedThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _lanes(self) -> Lanes:
        return cast("MarkedTransport", self.transport).lanes

    @property
    def _marked_thread(self) -> MarkedThread:
        return cast("MarkedThread", self._thread)

    async def perform_seek(self) -> None:
        """Read the committed marks, seek to them, and open a lane for each partition."""
        marks = await self._marked_thread.read_marks()
        for place, mark in marks.items():
            self._read_offset[TP(*place)] = mark.resume or None
        self._lanes.assign(self.app.consumer_generation_id, marks)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002  Faust's signature
        assigned = self.assignment()
        marks = {place: mark for place, mark in self._lanes.due().items() if TP(*place) in assigned}
        if not marks or not await self._marked_thread.commit_marks(marks):
            return False
        self._lanes.committed(marks)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        try:
            await asyncio.wait_for(self.force_commit(), COMMIT_ON_REVOKE_S)
        except TimeoutError:
            _log.warning("no commit before the rebalance")
        self._lanes.revoke(revoked)
        await super().on_partitions_revoked(revoked)

    def ack(self, message: Any) -> bool:  # noqa: ARG002  Faust's signature
        return False

    def verify_event_path(self, now: float, tp: TP) -> None:  # noqa: ARG002  Faust's signature
        # Faust judges by sensors that are switched off here; our own lag says the same.
        return


class MarkedTransport(Transport):
    """Makes `MarkedConsumer`s over one set of lanes."""

    Consumer = MarkedConsumer
    lanes: Lanes


class QuietMonitor(Monitor):
    """Faust's monitor without its work for each message, which costs as much as reading the message."""

    def on_message_in(self, *_: Any) -> None: ...
    def on_message_out(self, *_: Any) -> None: ...
    def on_stream_event_in(self, *_: Any) -> dict[str, Any] | None:
        return None

    def on_stream_event_out(self, *_: Any) -> None: ...
    def on_topic_buffer_full(self, *_: Any) -> None: ...
    def on_tp_commit(self, *_: Any) -> None: ...
    def track_tp_end_offset(self, *_: Any) -> None: ...
