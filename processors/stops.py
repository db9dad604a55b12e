"""Follow the stops topic: which partitions of the raw topic this processor may not go on with.

Read to its end before the first record, then as it grows. Unreadable later, it says what it last said: a
stop that was seen stands, and nothing else stops for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from tachograph.processors.asking import ASK_S, partitions, passing
from tachograph.processors.errors import BrokerFault
from tachograph.schemas.stops import Stop, key_of, standing

__all__ = ["StopsReader", "read_stops", "write_stop"]

LOOK_S = 0.5
RETRY_S = 2.0

_log = structlog.get_logger(__name__)
Word = tuple[bytes | None, bytes | None]


class StopsReader:
    """The thread that follows the topic; `stopped` may be asked from any other."""

    def __init__(self, settings: dict[str, Any], topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._stops: Mapping[int, Stop] = {}
        self._caught_up = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stops-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout_s: float = 2.0) -> None:
        self._stopping.set()
        self._thread.join(timeout_s)

    @property
    def ready(self) -> bool:
        """Whether everything that was on the topic at the start has been read."""
        return self._caught_up.is_set()

    def stopped(self, partition: int) -> Stop | None:
        """Why this partition stands still; None where it does not."""
        return self._stops.get(partition)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (KafkaException, BrokerFault) as error:
                _log.warning("stops topic unreadable, trying again", kind=type(error).__name__)
                self._stopping.wait(RETRY_S)

    def _follow(self) -> None:
        consumer = _consumer(self._settings, self._topic)
        try:
            said = list(_words(consumer))
            self._take(said)
            self._caught_up.set()
            while not self._stopping.is_set():
                message = consumer.poll(LOOK_S)
                if message is not None and (word := _word(message)) is not None:
                    said = _compacted([*said, word])
                    self._take(said)
        finally:
            consumer.close()

    def _take(self, said: list[Word]) -> None:
        before, self._stops = self._stops, standing(said)
        for partition in self._stops.keys() - before.keys():
            _log.critical("partition stopped", partition=partition, reason=self._stops[partition].reason,
                          finding=str(self._stops[partition].finding))  # fmt: skip
        for partition in before.keys() - self._stops.keys():
            _log.warning("partition goes on: its stop was acknowledged", partition=partition)


def read_stops(settings: dict[str, Any], topic: str) -> Mapping[int, Stop]:
    """The partitions that stand still now; raises `BrokerFault`."""
    try:
        consumer = _consumer(settings, topic)
        try:
            return standing(_words(consumer))
        finally:
            consumer.close()
    except KafkaException as error:
        raise BrokerFault(f"{settings['bootstrap.servers']}: {error.args[0].str()}") from None


def write_stop(settings: dict[str, Any], topic: str, stop: Stop) -> None:
    """Say it, durably; raises `BrokerFault`."""
    failed: list[str] = []
    producer = Producer({**settings, "acks": "all", "enable.idempotence": True, "error_cb": _quiet,
                         "message.timeout.ms": int(ASK_S * 1000)})  # fmt: skip
    producer.produce(topic, stop.encode(), key_of(stop.partition),
                     on_delivery=lambda error, _: failed.append(error.str()) if error else None)  # fmt: skip
    if producer.flush(2 * ASK_S) or failed:
        raise BrokerFault(f"{topic}: not delivered: {(failed or ['no answer'])[0]}")


def _consumer(settings: dict[str, Any], topic: str) -> Consumer:
    """At the beginning of the topic's one partition."""
    consumer = Consumer({**settings, "group.id": f"{topic}.reader", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "allow.auto.create.topics": False,
                         "enable.partition.eof": True, "error_cb": _quiet})  # fmt: skip
    try:
        partitions(consumer, topic)
    except BaseException:
        consumer.close()
        raise
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    return consumer


def _words(consumer: Consumer) -> Iterator[Word]:
    """Everything from here to the end as it is now."""
    while True:
        message = consumer.poll(ASK_S)
        if message is None:
            raise BrokerFault(f"the stops topic could not be read within {ASK_S:.0f} s")
        word = _word(message)
        if word is not None:
            yield word
        elif _ended(message):
            return


def _word(message: Message) -> Word | None:
    """What was said; None for the end of the partition and what passes by itself."""
    error = message.error()
    if error is None:
        return message.key(), message.value()
    if not _ended(message) and not passing(error):
        raise KafkaException(error)
    return None


def _ended(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  the client's own name


def _compacted(said: list[Word]) -> list[Word]:
    """The last word under each key, in order."""
    last = {key: number for number, (key, _) in enumerate(said)}
    return [said[number] for number in sorted(last.values())]


def _quiet(_: object) -> None:
    """librdkafka retries by itself; what it gives up comes back as an exception or a failed delivery."""
