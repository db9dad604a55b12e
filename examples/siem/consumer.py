"""Reads the masked topic as a SIEM would: in a group of its own, from the beginning, at its own pace.

Delivery is at least once: `metadata.uid` is the same for a record that comes twice. Offsets are stored only
after an event has been handed on, so a restart repeats events but never skips one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

POLL_SECONDS = 0.5

Take = Callable[[dict[str, Any], bytes], None]


def settings(bootstrap: str, group: str, extra: Mapping[str, str]) -> dict[str, Any]:
    """librdkafka's settings: the group is the SIEM's own, `extra` brings TLS and SASL."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
        **extra,
    }


def follow(config: Mapping[str, Any], topic: str, take: Take, *, stop: Callable[[], bool]) -> int:
    """Hand every event to `take` until `stop` says so; returns how many there were.

    `take` gets the event and its bytes as they lie in Kafka (and in OpenSearch). A value that is no JSON
    object is passed over: the topic's owner promises that there is none.
    """
    consumer = Consumer(dict(config))
    consumer.subscribe([topic])
    taken = 0
    try:
        while not stop():
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                _judge(error)
                continue
            value = message.value()
            event = parse(value)
            if value is not None and event is not None:
                take(event, value)
                taken += 1
            consumer.store_offsets(message)
    finally:
        consumer.close()  # commits what was stored
    return taken


def parse(value: bytes | None) -> dict[str, Any] | None:
    """The event, or None for what is none."""
    try:
        event = json.loads(value or b"null")
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _judge(error: KafkaError) -> None:
    # A broker that is away comes back; a topic that is not there or not ours does not.
    if error.fatal() or error.code() in {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }:
        raise KafkaException(error)
