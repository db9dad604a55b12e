"""Offsets that were skipped: did Kafka no longer have those records, or did somebody leave them out?

Asked of the broker directly, past Faust, because this is where a record could be lost without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tachograph.processors.asking import span
from tachograph.processors.errors import BrokerFault
from tachograph.processors.lanes import Place

__all__ = ["Gap", "look_into"]

LOOK_S = 20.0


@dataclass(frozen=True, slots=True)
class Gap:
    """What the broker says about offsets from `expected` on: its first record there, and how many expired."""

    first: int
    expired: int


def look_into(settings: dict[str, Any], place: Place, expected: int) -> Gap:
    """The first record at or after `expected`; blocks for a bounded time, raises `BrokerFault`."""
    consumer = Consumer(
        {
            **settings,
            "group.id": f"{place.topic}.gaps",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        tp = TopicPartition(place.topic, place.partition, expected)
        low, _ = span(consumer, tp, timeout_s=LOOK_S)
        consumer.assign([tp])
        message = consumer.poll(LOOK_S)
        if message is None or message.error() is not None:
            raise BrokerFault(f"{place.topic}/{place.partition}: no record to be had from offset {expected}")
        return Gap(first=int(message.offset() or 0), expired=max(0, low - expected))
    except KafkaException as error:
        raise BrokerFault(f"{place.topic}/{place.partition}: {error}") from None
    finally:
        consumer.close()
