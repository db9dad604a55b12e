"""A topic of the sink's: reads messages, commits only contiguous acknowledged offsets, survives rebalances.

The one file of Kafka consumer I/O. All of it runs in one thread, callbacks included: they run inside
`read`. A partition that is taken away takes its uncommitted records with it; its next owner reads them again
and finds the documents there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Received

from tachograph.sinks.errors import NotProvisioned, OperatorError, Unavailable
from tachograph.sinks.offsets import Offsets, Partition
from tachograph.sinks.record import Message

__all__ = ["ASK_SECONDS", "READ_MESSAGES", "Source", "settings"]

log = structlog.get_logger(__name__)

ASK_SECONDS = 5.0
"""The longest that one question to the broker may take."""
PLACE_SECONDS = 20.0
"""The longest wait for where a partition was left; without the answer nobody sees what was deleted unread."""
READ_MESSAGES = 500
_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001  librdkafka's own
COMMIT_SECONDS = 1.0
"""How old a commit may be: what a kill -9 makes us read again, plus what is in flight."""


def settings(client: Mapping[str, Any], *, group: str) -> dict[str, Any]:
    """librdkafka's settings: the operator's for the connection, ours for what a promise rests on."""
    return dict(client) | {
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 1_500,
        "queued.max.messages.kbytes": 16_384,
        "fetch.wait.max.ms": 100,
        "enable.partition.eof": False,
    }


class Source:
    """One member of a consumer group of the sink; `transactional` where transactions write the topic."""

    def __init__(
        self,
        consumer: Mapping[str, Any],
        topic: str,
        *,
        dropped: Callable[[set[Partition]], None],
        transactional: bool = False,
    ) -> None:
        self._topic = topic
        self._transactional = transactional
        self._dropped = dropped
        self._offsets = Offsets()
        self._expected: dict[Partition, int] = {}
        self._held = False
        self.skipped = 0
        self._consumer = Consumer(dict(consumer) | {"log_level": 0, "error_cb": _reported})

    def check(self) -> None:
        """Raises `Unavailable` when Kafka does not answer, `NotProvisioned` when the topic is not there."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=ASK_SECONDS).topics.get(self._topic)
        except KafkaException as error:
            raise Unavailable(f"Kafka did not answer: {_code(error)}") from None
        if found is not None and found.error is not None and found.error.code() not in _ABSENT:
            raise Unavailable(f"topic {self._topic}: {found.error.name()}")
        if found is None or found.error is not None:
            raise NotProvisioned(f"topic {self._topic} does not exist; run `tacho provision` first")

    def subscribe(self) -> None:
        """Join the group; partitions come in during `read`."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def read(self, seconds: float) -> list[Message]:
        """Messages that came within this time; also where the group's changes are handled."""
        messages: list[Message] = []
        for received in self._consumer.consume(READ_MESSAGES, timeout=seconds):
            error = received.error()
            if error is not None:
                self._faulty(error)
            elif (message := self._take(received)) is not None:
                messages.append(message)
        return messages

    def hold(self) -> None:
        """Stop fetching; `read` keeps this member in its group."""
        if not self._held:
            self._held = True
            self._consumer.pause(_parts(self._offsets.partitions))

    def release(self) -> None:
        """Fetch again."""
        if self._held:
            self._held = False
            self._consumer.resume(_parts(self._offsets.partitions))

    @property
    def held(self) -> bool:
        return self._held

    @property
    def unacknowledged(self) -> int:
        return self._offsets.unacknowledged

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """These are where they belong."""
        for message in messages:
            self._offsets.acknowledge(message.origin, message.offset)

    def commit(self) -> None:
        """Commit what may be committed and wait for the broker; a failure is only read again later."""
        offsets = self._offsets.committable()
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=_parts(offsets, offsets), asynchronous=False)
        except KafkaException as error:
            log.warning("commit failed; the records will be read again", reason=_code(error))
        else:
            self._offsets.committed(offsets)

    def lag(self) -> dict[int, int]:
        """Records between what is committed or received and the end of each partition, as last heard of."""
        behind: dict[int, int] = {}
        for topic, partition in self._offsets.partitions:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            at = self._expected.get((topic, partition))
            if at is not None and end >= 0:
                behind[partition] = max(end - at, 0)
        return behind

    def close(self) -> None:
        """Commit, then leave the group so that others take over at once."""
        self.commit()
        self._consumer.close()

    def _take(self, received: Received) -> Message | None:
        message = _message(received)
        partition = message.origin
        if not self._offsets.received(partition, message.offset):
            return None
        expected = self._expected.get(partition)
        if expected is not None and message.offset > expected and not self._transactional:
            self._missed(partition, message.offset - expected)
        self._expected[partition] = message.offset + 1
        return message

    def _missed(self, partition: Partition, count: int) -> None:
        # Without compaction and transactions a gap is what retention took away unread. Where transactions
        # write, their markers have offsets too, and a gap says nothing.
        self.skipped += count
        log.error("records were deleted before they were read", partition=partition[1], count=count)

    def _faulty(self, error: KafkaError) -> None:
        if error.fatal():
            raise OperatorError(f"Kafka ended this consumer: {error.name()}; start the sink again")
        log.warning("Kafka reported", reason=error.name())

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        keys = [(item.topic, item.partition) for item in partitions]
        self._offsets.assign(keys)
        try:
            for item in consumer.committed(partitions, timeout=PLACE_SECONDS) if partitions else []:
                if item.offset >= 0:
                    self._expected[item.topic, item.partition] = item.offset
        except KafkaException as error:
            log.warning("committed offsets are unknown for now", reason=_code(error))
        if self._held:
            consumer.pause(partitions)
        log.info("partitions assigned", partitions=sorted(number for _, number in keys))

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.commit()
        self._forget(partitions, "partitions revoked")

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget(partitions, "partitions lost")

    def _forget(self, partitions: list[TopicPartition], event: str) -> None:
        keys = {(item.topic, item.partition) for item in partitions}
        self._offsets.revoke(keys)
        for key in keys:
            self._expected.pop(key, None)
        self._dropped(keys)
        log.info(event, partitions=sorted(number for _, number in keys))


def _reported(error: KafkaError) -> None:
    # Faults of the connection; librdkafka mends them on its own.
    log.warning("Kafka reported", reason=error.name())


def _message(received: Received) -> Message:
    topic, partition, offset = received.topic(), received.partition(), received.offset()
    if topic is None or partition is None or offset is None:
        raise AssertionError("a message without an error has a topic, a partition and an offset")
    headers = received.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Message(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=max(received.timestamp()[1], 0),
        key=_bytes(received.key()),
        value=_bytes(received.value()) or b"",
        headers=tuple((name, _bytes(value) or b"") for name, value in pairs),
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _parts(
    partitions: Iterable[Partition], offsets: Mapping[Partition, int] | None = None
) -> list[TopicPartition]:
    if offsets is None:
        return [TopicPartition(topic, number) for topic, number in partitions]
    return [TopicPartition(topic, number, offsets[topic, number]) for topic, number in partitions]


def _code(error: KafkaException) -> str:
    first = error.args[0] if error.args else None
    return first.name() if isinstance(first, KafkaError) else type(error).__name__
