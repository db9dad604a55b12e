"""One partition's log on Kafka: leaves, checkpoint and position in one transaction, by one writer.

`open` fences whoever wrote before: a process that was thought dead can begin, but no longer commit. What is
committed is read back from the last leaf, which carries the frontier, so nothing is kept on a disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from tachograph.processors.asking import passing
from tachograph.processors.errors import BrokerFault, OperatorError
from tachograph.processors.sealing.log import LogState
from tachograph.processors.sealing.reading import read_headers
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf, pack_frontier, unpack_frontier
from tachograph.schemas.topics import Topics

__all__ = ["ASK_SECONDS", "PartitionLog", "last_state", "producer_settings"]

ASK_SECONDS = 15.0
"""The longest that one question to the broker may take."""
ASK_TIMES, AGAIN_SECONDS = 20, 0.25
"""How often, and at which distance, a question is put again where the broker says that this may help."""
TRANSACTION_SECONDS = 30
"""After this the broker aborts what a dead writer began, so that readers go on."""
FRONTIER, NEXT = "frontier", "next"
"""Kafka headers of the last leaf of a transaction."""
T = TypeVar("T")
_SPANS = (2, 64, 1024, 16_384)
"""How far before the end the last leaf is looked for: markers and aborted leaves lie between."""


def producer_settings(client: Mapping[str, Any], *, transactional_id: str) -> dict[str, Any]:
    """The operator's for the connection, ours for what a promise rests on."""
    return dict(client) | {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5,
        "log_level": 0,
    }


@dataclass(frozen=True, slots=True)
class _Names:
    topics: Topics
    partition: int


class PartitionLog:
    """The one writer of one partition's log. Not for use by several threads."""

    def __init__(self, client: Mapping[str, Any], topics: Topics, partition: int) -> None:
        self._client = dict(client)
        self._names = _Names(topics, partition)
        name = f"{topics.prefix}-seal-{partition}"
        self._producer = Producer(producer_settings(client, transactional_id=name))
        self._failed: KafkaError | None = None

    def open(self) -> LogState:
        """Fence the writer before, and find where the log stands. Raises `BrokerFault`."""
        _asked(lambda: self._producer.init_transactions(ASK_SECONDS))
        return last_state(self._client, self._names.topics, self._names.partition)

    def commit(
        self, leaves: Sequence[Leaf], state: LogState, *, note: str | None, consumer: Consumer
    ) -> None:
        """Append leaves, publish the note, move the position: all or nothing. Raises `BrokerFault`."""
        self._failed = None
        _asked(self._producer.begin_transaction)
        try:
            self._produce(leaves, state, note)
            at = TopicPartition(self._names.topics.masked, self._names.partition, state.next_offset)
            _asked(
                lambda: self._producer.send_offsets_to_transaction(
                    [at], consumer.consumer_group_metadata(), ASK_SECONDS
                )
            )
            _asked(lambda: self._producer.commit_transaction(ASK_SECONDS))
        except BrokerFault:
            self._abort()
            raise
        if self._failed is not None:
            raise BrokerFault(f"a leaf was not delivered: {self._failed.name()}")

    def close(self) -> None:
        """Let the broker forget what was begun; what was committed stays."""
        with contextlib.suppress(KafkaException):  # one that was fenced has nothing to forget
            self._producer.purge()
            self._producer.flush(0.1)

    def _produce(self, leaves: Sequence[Leaf], state: LogState, note: str | None) -> None:
        topics, partition = self._names.topics, self._names.partition
        last = leaves[-1] if leaves else None
        for leaf in leaves:
            headers = _state_headers(state) if leaf is last else None
            key = None if leaf.uid is None else str(leaf.uid).encode()
            self._send(topics.leaves, leaf.canonical(), key, partition, headers)
        if note is not None:
            # docs/spec/log.md: the key is the origin and the size, its first two lines.
            name = "/".join(note.split("\n", 2)[:2])
            self._send(topics.checkpoints, note.encode(), name.encode(), 0, None)

    def _send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        partition: int,
        headers: list[tuple[str, str | bytes | None]] | None,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition=partition, headers=headers or [], on_delivery=self._delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise BrokerFault(f"{topic}: {_code(error)}") from None
            else:
                return

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error

    def _abort(self) -> None:
        # Where even this fails, the next `open` or the broker's time-out aborts it.
        try:
            self._producer.abort_transaction(ASK_SECONDS)
        except KafkaException:
            return


def last_state(client: Mapping[str, Any], topics: Topics, partition: int) -> LogState:
    """Where a partition's log stands by its last committed leaf. Raises `BrokerFault`, `OperatorError`."""
    consumer = Consumer(
        dict(client)
        | {
            "group.id": f"{topics.prefix}.sealing.look",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        low, high = _asked(
            lambda: consumer.get_watermark_offsets(TopicPartition(topics.leaves, partition), ASK_SECONDS)
        )
        for span in (*_SPANS, high - low):
            start = max(low, high - span)
            message = _last(consumer, TopicPartition(topics.leaves, partition, start))
            if message is not None:
                return _state(message)
            if start == low:
                break
    finally:
        consumer.close()
    if low > 0:
        raise OperatorError(f"{topics.leaves}[{partition}]: its leaves were deleted, the log cannot go on")
    return LogState()


def _last(consumer: Consumer, start: TopicPartition) -> Message | None:
    """The last committed message from `start` on, or None."""
    consumer.assign([start])
    found = None
    while True:
        message = consumer.poll(ASK_SECONDS)
        if message is None:
            raise BrokerFault(f"{start.topic}[{start.partition}]: no answer within {ASK_SECONDS:g} s")
        error = message.error()
        if error is None:
            found = message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name for it
            return found
        else:
            raise BrokerFault(f"{start.topic}[{start.partition}]: {error.name()}")


def _state(message: Message) -> LogState:
    headers = read_headers(message)
    try:
        frontier = unpack_frontier(headers.get(FRONTIER, b""))
        return LogState(frontier, int(headers.get(NEXT, b"-1").decode("ascii")))
    except (MalformedRecord, ValueError):
        raise OperatorError(
            f"{message.topic()}[{message.partition()}]@{message.offset()}: no log can go on from this leaf"
        ) from None


def _state_headers(state: LogState) -> list[tuple[str, str | bytes | None]]:
    return [(FRONTIER, pack_frontier(state.frontier)), (NEXT, str(state.next_offset))]


def _asked(ask: Callable[[], T]) -> T:
    """Ask, again for a while where the broker says that this may help; raises `BrokerFault`."""
    for again in reversed(range(ASK_TIMES)):
        try:
            return ask()
        except KafkaException as error:
            if not again or not _passing(error):
                raise BrokerFault(f"Kafka: {_code(error)}") from None
            time.sleep(AGAIN_SECONDS)
    raise BrokerFault("Kafka: not asked")


def _passing(error: KafkaException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, KafkaError) and passing(cause)


def _code(error: KafkaException) -> str:
    cause = error.args[0] if error.args else None
    return str(cause.name()) if isinstance(cause, KafkaError) else "no answer"
