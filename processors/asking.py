"""Questions to a broker, put again while a partition is only finding its leader.

Metadata names a leader a moment before that broker leads, and an election takes its time: what comes
meanwhile is an error that passes. `KafkaError.retriable()` says so of a transactional producer's errors only,
so the codes are listed here. A broker that is away is not among them: that is told at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tachograph.processors.errors import BrokerFault

__all__ = ["ASK_S", "SETTLE_S", "asked", "partitions", "passing", "span"]

ASK_S = 10.0
"""The longest that one question may take."""
SETTLE_S = 20.0
"""How long a question is put again."""
AGAIN_S = 0.1
T = TypeVar("T")
_PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,  # by a broker that has not heard of it yet
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  librdkafka's own name for the same
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)


def passing(error: KafkaError) -> bool:
    """Whether the same question may well be answered in a moment."""
    return error.retriable() or error.code() in _PASSING


def asked(
    ask: Callable[[], T],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The answer, asked for again within `SETTLE_S` while the error passes; raises its `KafkaException`."""
    deadline = clock() + SETTLE_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not passing(error.args[0]) or clock() >= deadline:
                raise
        sleep(AGAIN_S)


def partitions(consumer: Consumer, topic: str, *, timeout_s: float = ASK_S) -> list[TopicPartition]:
    """Every partition of a topic; raises `BrokerFault` where there is no such topic, `KafkaException`."""

    def look() -> list[TopicPartition]:
        found = consumer.list_topics(topic, timeout=timeout_s).topics[topic]
        if found.error is None:
            return [TopicPartition(topic, number) for number in sorted(found.partitions)]
        if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise BrokerFault(f"no topic {topic}: run `tacho provision`")
        raise KafkaException(found.error)

    return asked(look)


def span(consumer: Consumer, place: TopicPartition, *, timeout_s: float = ASK_S) -> tuple[int, int]:
    """The partition's first offset and the one behind its last; raises `KafkaException`."""
    low, high = asked(lambda: consumer.get_watermark_offsets(place, timeout=timeout_s))
    return int(low), int(high)
