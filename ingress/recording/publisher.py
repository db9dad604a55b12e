"""From the spool to Kafka: in order per key, acknowledged by all replicas, and never on the event loop.

Two threads: one takes from the spool and produces, one polls for delivery reports. Kafka being away only
leaves entries in the spool. An entry that Kafka will never take goes to the dead letter with the reason;
any other failure stops the feed until nothing is in flight, and then repeats what failed in its order.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tachograph.ingress.faults import log_fault
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.ingress.spool.spool import Queued
from tachograph.schemas.canonical import sha256_hex

__all__ = ["Publisher", "PublisherStatus", "Source"]

_MIB = 1 << 20
IN_FLIGHT_BYTES = 8 * _MIB
"""The most that librdkafka holds of ours; the rest waits in the spool."""
TAKE_BYTES = 256 * 1024
TAKE_SECONDS = 0.5
POLL_SECONDS = 0.2
GATHER_SECONDS = 0.005
"""Nobody waits for Kafka while the disk is well, so entries are taken in small heaps: a wake-up costs CPU."""
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
DEADLETTER_VALUE_BYTES = 900 * 1024
"""A broker takes 1 MiB on the dead letter topic by default; what is longer is described there, not held."""

_NEVER = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.POLICY_VIOLATION,
}
_UNPROVISIONED = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001  librdkafka's local codes have no public name
_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}

log = structlog.get_logger(__name__)


class Source(Protocol):
    """Where entries come from: the spool."""

    def take(self, max_bytes: int, *, timeout: float) -> list[Queued]: ...
    def acknowledge(self, queued: Queued) -> None: ...
    def set_aside(self, entry: SpoolEntry, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """What readiness and metrics say about Kafka."""

    connected: bool
    problem: str
    delivered: int
    dead: int
    in_flight_bytes: int


class Publisher:
    """`start` it once; `stop` returns when Kafka has everything or the time is up."""

    def __init__(self, source: Source, *, settings: Mapping[str, object], deadletter: str) -> None:
        self._source = source
        self._settings = dict(settings) | {"error_cb": self._on_error}
        self._deadletter = deadletter
        self._changed = threading.Condition()
        self._in_flight: set[Queued] = set()
        self._in_flight_bytes = 0
        self._failed: list[tuple[int, Queued]] = []
        self._dead: list[tuple[Queued, str]] = []
        self._turn = 0
        self._connected = False
        self._problem = "not connected yet"
        self._delivered = 0
        self._dead_count = 0
        self._renew = False
        self._stopping = False
        self._ended = threading.Event()
        self._producer = Producer(self._settings)
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for work, name in ((self._feed, "tacho-kafka-feed"), (self._poll, "tacho-kafka-poll"))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout: float, empty: Callable[[], bool]) -> None:
        """Wait until `empty()` or for `timeout` seconds, then end both threads."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not empty() and (left := deadline - time.monotonic()) > 0 and self._threads[0].is_alive():
                self._changed.wait(min(left, 0.05))
            self._stopping = True
            self._ended.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(TAKE_SECONDS + 2 * POLL_SECONDS + 1)

    @property
    def status(self) -> PublisherStatus:
        return PublisherStatus(
            self._connected, self._problem, self._delivered, self._dead_count, self._in_flight_bytes
        )

    # -- the feeding thread ------------------------------------------------------------------------

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it is, readiness and the log tell of it
            self._connected, self._problem = False, "a defect stopped the publisher; see the log"
            log_fault("publisher_died", error)

    def _feed(self) -> None:
        backoff = 0
        while not self._stopping:
            self._bury()
            if self._failed or self._renew:
                backoff = self._repeat(backoff)
                continue
            taken = self._source.take(TAKE_BYTES, timeout=TAKE_SECONDS)
            for queued in taken:
                self._produce(queued)
            if not self._failed:
                backoff = 0
            if taken and sum(queued.size for queued in taken) < TAKE_BYTES:
                self._ended.wait(GATHER_SECONDS)

    def _produce(self, queued: Queued) -> None:
        with self._changed:
            while self._in_flight_bytes >= IN_FLIGHT_BYTES and not self._stopping:
                self._changed.wait(TAKE_SECONDS)
            self._turn += 1
            turn = self._turn
            self._in_flight.add(queued)
            self._in_flight_bytes += queued.size
        if self._failed or not self._send(queued, turn):
            # Behind a failure nothing overtakes: it waits for its turn with the others.
            self._landed(queued)
            with self._changed:
                self._failed.append((turn, queued))

    def _send(self, queued: Queued, turn: int) -> bool:
        entry = queued.entry
        report = functools.partial(self._reported, queued, turn)
        while not self._stopping:
            try:
                self._producer.produce(
                    entry.topic,
                    value=entry.value,
                    key=entry.key,
                    headers=list(entry.headers),
                    on_delivery=report,
                )
            except BufferError:
                self._wait(POLL_SECONDS)
            except KafkaException as error:
                return self._refused(queued, error.args[0])
            else:
                return True
        return False

    def _refused(self, queued: Queued, error: KafkaError) -> bool:
        """`produce` said no at once; True when the entry has found its place all the same."""
        if error.code() not in _NEVER:
            self._trouble(error, queued.entry.topic)
            return False
        self._landed(queued)
        with self._changed:
            self._dead.append((queued, error.name()))
        return True

    def _repeat(self, backoff: int) -> int:
        """Let everything in flight land, wait, and produce again in the first order what failed."""
        self._land()
        self._wait(BACKOFF_SECONDS[min(backoff, len(BACKOFF_SECONDS) - 1)])
        if self._stopping:
            return backoff
        if self._renew:
            self._renew = False
            self._producer = Producer(self._settings)
            log.warning("kafka_producer_renewed")
        with self._changed:
            failed, self._failed = sorted(self._failed, key=lambda item: item[0]), []
        for _, queued in failed:
            if queued.suspect:
                self._land()
            self._produce(queued)
            if queued.suspect:
                self._land()
        return backoff + 1

    def _land(self) -> None:
        """Wait until nothing is in flight; Kafka being away may make it long, and the spool bears it."""
        with self._changed:
            while self._in_flight and not self._stopping:
                if self._renew:  # a producer that met a fatal error delivers nothing any more
                    self._producer.purge(blocking=False)
                self._changed.wait(POLL_SECONDS)

    def _bury(self) -> None:
        """Write down what Kafka will never take, then count it as delivered."""
        with self._changed:
            dead, self._dead = self._dead, []
        for queued, reason in dead:
            try:
                self._bury_one(queued, reason)
            except OSError as error:  # neither Kafka nor the disk takes it now: it stays where it is
                log.error("refused_record_not_kept", reason=error.strerror)  # noqa: TRY400  that is all there is
                with self._changed:
                    self._dead.append((queued, reason))
                self._wait(BACKOFF_SECONDS[0])

    def _bury_one(self, queued: Queued, reason: str) -> None:
        entry = queued.entry
        log.error("record_refused_by_kafka", topic=entry.topic, reason=reason, bytes=queued.size)
        letter = entry.topic == self._deadletter
        if letter or len(entry.value) > DEADLETTER_VALUE_BYTES:
            self._source.set_aside(queued.stands_for.entry if queued.stands_for else entry, reason)
        self._dead_count += 1
        if letter:
            self._source.acknowledge(queued.stands_for or queued)
            return
        made = Queued(dead_letter(entry, topic=self._deadletter, reason=reason), None)
        made.stands_for = queued
        self._produce(made)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)

    # -- the polling thread ------------------------------------------------------------------------

    def _poll(self) -> None:
        while not self._stopping:
            self._producer.poll(POLL_SECONDS)

    def _reported(self, queued: Queued, turn: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._connected, self._problem = True, ""
            self._delivered += 1
            self._source.acknowledge(queued.stands_for or queued)
        elif error.code() in _NEVER and queued.suspect:
            with self._changed:
                self._dead.append((queued, error.name()))
        elif error.code() in _NEVER:
            # Kafka refuses whole batches, so its neighbours are named with the culprit: each is tried alone.
            queued.suspect = True
            with self._changed:
                self._failed.append((turn, queued))
        else:
            self._trouble(error, queued.entry.topic)
            with self._changed:
                self._failed.append((turn, queued))
        self._landed(queued)

    def _landed(self, queued: Queued) -> None:
        with self._changed:
            if queued in self._in_flight:
                self._in_flight.remove(queued)
                self._in_flight_bytes -= queued.size
                if not self._in_flight or self._in_flight_bytes < IN_FLIGHT_BYTES:
                    self._changed.notify_all()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  librdkafka's local codes have no public name
            self._connected, self._problem = False, "no broker answers"
        if error.fatal():
            self._renew = True

    def _trouble(self, error: KafkaError, topic: str) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001  see above
            self._renew = True
        if error.code() in _UNPROVISIONED:
            problem = f"topic {topic} does not exist; run `tacho provision`"
        elif error.code() in _DENIED:
            problem = f"topic {topic}: Kafka does not let this client write; grant WRITE and IDEMPOTENT_WRITE"
        else:
            problem = f"Kafka answers {error.name()}"
        if problem != self._problem:
            log.error("kafka_refuses", problem=problem)
        self._problem = problem


def dead_letter(entry: SpoolEntry, *, topic: str, reason: str) -> SpoolEntry:
    """The entry as a dead letter: its own headers, why, and the sealed value where it is not too long."""
    fits = len(entry.value) <= DEADLETTER_VALUE_BYTES
    why = (
        ("reason", reason.encode()),
        ("stage", b"ingress"),
        ("origin-topic", entry.topic.encode()),
        ("value-sha256", sha256_hex(entry.value).encode()),
        ("value-bytes", str(len(entry.value)).encode()),
    )
    return SpoolEntry(topic, entry.key, entry.value if fits else b"", (*entry.headers, *why))
