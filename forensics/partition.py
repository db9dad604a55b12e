"""One partition of a topic, read from its beginning to where it ended when it was asked.

The consumer belongs to the caller; it needs `enable.partition.eof`, which tells the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tachograph.forensics.errors import LogUnreachable

__all__ = ["ASK_SECONDS", "WHOLE", "messages_of"]

ASK_SECONDS: Final = 15.0
"""How long a broker may be silent."""
TURN_SECONDS: Final = 0.25
"""A call waits for a whole batch or for this long."""
BATCH: Final = 5_000
WHOLE: Final = {
    "enable.auto.commit": False,
    "allow.auto.create.topics": False,
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 20,  # the end of a topic is told only when a fetch comes back
    "log_level": 0,
}
"""librdkafka's settings for a consumer that reads so. It wants a `group.id` too, and commits nothing."""


def messages_of(consumer: Consumer, topic: str, partition: int) -> Iterator[Message]:
    """Every message in order. Raises `LogUnreachable`."""
    consumer.assign([TopicPartition(topic, partition, 0)])
    idle = 0.0
    while True:
        messages = consumer.consume(BATCH, timeout=TURN_SECONDS)
        idle = 0.0 if messages else idle + TURN_SECONDS
        if idle >= ASK_SECONDS:
            raise LogUnreachable(f"{topic}[{partition}]: no answer within {ASK_SECONDS:g} s")
        for message in messages:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name for it
                return
            else:
                raise LogUnreachable(f"{topic}[{partition}]: {error.name()}")
