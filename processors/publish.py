"""Produce and know what is delivered: acks=all, idempotent, in order; a ticket is finished by its deliveries.

librdkafka retries within its own bound. A message that it gives up is a fault that ends the process: the
record is not committed, so a restart sends it again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tachograph.processors.errors import BrokerFault
from tachograph.processors.ledger import Ticket
from tachograph.schemas.topics import MAX_RECORD_BYTES

__all__ = ["Publisher"]

MAX_IN_FLIGHT = 5_000
"""Messages sent and not yet acknowledged; above it the worker waits."""
MAX_IN_FLIGHT_BYTES = 32 << 20
DELIVERY_TIMEOUT_S = 900
"""How long Kafka may be away, in the middle of the work, before the process ends."""
LINGER_MS = 20
"""Messages leave in heaps: a tenth of the work of a record, for a wait that no search would notice."""
POLL_S = 0.1
PROBE_S = 2.0

Headers = list[tuple[str, str | bytes | None]]
Fatal = Callable[[BaseException], None]


class Publisher:
    """One idempotent producer for the masked topic and the dead letter."""

    def __init__(self, settings: dict[str, Any], *, on_fatal: Fatal) -> None:
        self._on_fatal = on_fatal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delivered: deque[tuple[Ticket, int]] = deque()
        self._scheduled = threading.Event()
        self._stopping = threading.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.acknowledged = 0
        self._producer = Producer(
            {
                "compression.type": "lz4",
                **settings,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": LINGER_MS,
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "message.timeout.ms": DELIVERY_TIMEOUT_S * 1000,
                "queue.buffering.max.messages": MAX_IN_FLIGHT * 4,
                "queue.buffering.max.kbytes": MAX_IN_FLIGHT_BYTES // 256,
                "error_cb": self._error,
            }
        )
        self._thread = threading.Thread(target=self._poll, name="deliveries", daemon=True)

    def start(self) -> None:
        """Begin to take deliveries back on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def send(
        self, ticket: Ticket, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Queue one message for delivery on behalf of `ticket`; never waits; `room()` does."""
        size = len(value or b"") + len(key or b"")

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                self._fail(BrokerFault(f"{topic}: not delivered: {error.str()}"))
                return
            self._delivered.append((ticket, size))
            if not self._scheduled.is_set() and self._loop is not None:
                self._scheduled.set()
                self._loop.call_soon_threadsafe(self._settle)

        ticket.sent()
        self.in_flight += 1
        self.in_flight_bytes += size
        self._producer.produce(topic, value, key, headers=headers, on_delivery=delivered)

    async def room(self) -> None:
        """Return when less is in flight than the bounds allow."""
        while self.in_flight >= MAX_IN_FLIGHT or self.in_flight_bytes >= MAX_IN_FLIGHT_BYTES:
            self._room.clear()
            await self._room.wait()

    async def drained(self) -> None:
        """Return when everything sent is acknowledged."""
        while self.in_flight:
            self._room.clear()
            await self._room.wait()

    def reachable(self, topic: str) -> bool:
        """Whether Kafka answers a question about `topic`; blocks for at most `PROBE_S`."""
        try:
            self._producer.list_topics(topic, timeout=PROBE_S)
        except KafkaException:
            return False
        return True

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2 * POLL_S)

    def _settle(self) -> None:
        self._scheduled.clear()
        while self._delivered:
            ticket, size = self._delivered.popleft()
            self.in_flight -= 1
            self.acknowledged += 1
            self.in_flight_bytes -= size
            ticket.delivered()
        self._room.set()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(POLL_S)

    def _error(self, error: KafkaError) -> None:
        # Everything else librdkafka retries by itself.
        if error.fatal():
            self._fail(BrokerFault(f"the producer cannot go on: {error.str()}"))

    def _fail(self, fault: BrokerFault) -> None:
        if self._loop is not None and not self._stopping.is_set():
            self._loop.call_soon_threadsafe(self._on_fatal, fault)
