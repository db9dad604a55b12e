"""Both topics of registries, read once to their ends: releases first, so that what is in force is known."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tachograph.schemas.control import ControlBook
from tachograph.schemas.topics import Topics

__all__ = ["READING", "put", "to_ends"]

POLL_SECONDS = 1.0


def to_ends(consumer: Consumer, topics: Topics, *, seconds: float) -> Iterator[Message]:
    """Every record of `releases`, then every one of `control`; the consumer is set up by `READING`.

    Raises `KafkaException`, also where it takes longer.
    """
    deadline = time.monotonic() + seconds
    for topic in (topics.releases, topics.control):
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        yield from _to_end(consumer, topic, deadline)


def put(book: ControlBook, message: Message, topics: Topics) -> None:
    """Take a record of either topic in. Raises `RecordError` for one that is not to be believed."""
    if message.topic() == topics.releases:
        book.put_release(message.value())
    else:
        book.put((message.key() or b"").decode("utf-8", "replace"), message.value())


def _to_end(consumer: Consumer, topic: str, deadline: float) -> Iterator[Message]:
    while time.monotonic() < deadline:
        message = consumer.poll(POLL_SECONDS)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's own name
            if message.topic() == topic:
                return
        else:
            raise KafkaException(error)
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  the same


READING: dict[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
    "isolation.level": "read_committed",  # a snapshot and its release come together or not at all
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,  # an end is told of only when such a wait is over
}
