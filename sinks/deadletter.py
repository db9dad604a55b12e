"""The dead letter: a record that could not be a document, whole, with the reason; durable before it counts.

A flood of refusals is never about the records, so the rate has a bound and past it the worker stops: what is
not committed stays in its topic. Entries are at least once; `uid` and the origin tell copies apart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Acknowledged

from tachograph.sinks.errors import DeadLetterFlood
from tachograph.sinks.record import Message

__all__ = ["BURST", "PER_SECOND", "DeadLetterTopic", "Rate", "headers_for"]

BURST = 100
PER_SECOND = 100 / 600
DELIVERY_MS = 30_000
"""How long one try may take; then it is tried again."""
_POLL_SECONDS = 0.1


class Rate:
    """A token bucket: `BURST` at once, `PER_SECOND` after it. The clock is passed in, monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._at = clock()

    def take(self) -> bool:
        """Whether one more is within the rate."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class DeadLetterTopic:
    """Writes to the dead letter topic; thread-safe."""

    def __init__(
        self,
        producer: Mapping[str, Any],
        topic: str,
        *,
        clock: Callable[[], float],
        wait: Callable[[float], None],
        delivery_ms: int = DELIVERY_MS,
    ) -> None:
        safe = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "delivery.timeout.ms": delivery_ms}
        self._producer = Producer(dict(producer) | safe | {"log_level": 0})
        self._topic = topic
        self._wait = wait
        self._rate = Rate(clock)
        self._lock = threading.Lock()

    def bury(self, message: Message, *, reason: str, uid: str | None) -> None:
        """Durable when it returns; tries again while Kafka is away. Raises `DeadLetterFlood`, `Stopping`."""
        with self._lock:
            within = self._rate.take()
        if not within:
            raise DeadLetterFlood(
                f"more than {BURST} records refused (last reason: {reason}): this is about the index or the"
                f" masker, not about records; see topic {self._topic}, mend it and start the sink again"
            )
        while not self._sent(message, headers_for(message, reason=reason, uid=uid)):
            self._wait(1.0)

    def _sent(self, message: Message, headers: list[tuple[str, str | bytes | None]]) -> bool:
        outcome: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Acknowledged) -> None:
            outcome.append(error)

        try:
            self._producer.produce(
                self._topic, message.value, message.key, headers=headers, on_delivery=delivered
            )
        except (BufferError, KafkaException):
            return False
        while not outcome:
            self._producer.poll(_POLL_SECONDS)
        return outcome[0] is None


def headers_for(message: Message, *, reason: str, uid: str | None) -> list[tuple[str, str | bytes | None]]:
    """Where an entry comes from and why; the message's own headers follow under `origin-header-`."""
    facts = {
        "reason": reason,
        "origin-topic": message.topic,
        "origin-partition": str(message.partition),
        "origin-offset": str(message.offset),
        "origin-timestamp": str(message.timestamp_ms),
    }
    own = [(f"origin-header-{name}", value) for name, value in message.headers]
    identity = [] if uid is None else [("uid", uid)]
    return [*facts.items(), *identity, *own]
