"""Writes signed events to the approvals topic. That one is written only its being read back proves.

What Kafka does not take within the bound is dropped, so nothing is said late in the name of somebody who
was told that it did not work.
"""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaException, Producer

from tachograph.approvals.errors import LogFull
from tachograph.schemas.approval import ApprovalEvent, ApprovalKey

__all__ = ["Pen"]

CLOSE_SECONDS = 2.0


class Pen:
    """For one thread. `write` never blocks."""

    def __init__(
        self, *, topic: str, key: ApprovalKey, settings: Mapping[str, object], give_up_seconds: float
    ) -> None:
        self._topic = topic
        self._key = key
        ours = {
            "client.id": "tacho-approvals",
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": int(give_up_seconds * 1000),
            "linger.ms": 0,
            "queue.buffering.max.kbytes": 8 << 10,
        }
        self._producer = Producer({**settings, **ours})

    def write(self, event: ApprovalEvent) -> None:
        """Hand the event to the Kafka client. Raises `LogFull` if even that takes no more."""
        try:
            self._producer.produce(self._topic, value=self._key.seal(event), key=str(event.approval).encode())
        except (BufferError, KafkaException):
            raise LogFull("the approvals topic takes no more events just now") from None
        self._producer.poll(0)

    def close(self) -> None:
        """Give Kafka a moment to take what is on its way."""
        self._producer.flush(CLOSE_SECONDS)
