"""The canary agent: publish a session of planted secrets on the raw topic, read its events on the masked one.

It looks from outside, at what the processors in service really put out: an old rule set, a worker with
another configuration, a masker that was bypassed would show here. A leak stops the raw partition that it came
through, durably, and is raised as a finding. No log line, metric, stop or finding holds a plant.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer
from prometheus_client import CollectorRegistry, Counter

from tachograph.credentials.errors import CredentialsError
from tachograph.processors.asking import ASK_S, partitions, span
from tachograph.processors.brokers import rdkafka_settings
from tachograph.processors.canary_session import CanarySession, leaked, plant_session
from tachograph.processors.enrichment.finding import finding
from tachograph.processors.errors import BrokerFault, KeysAway
from tachograph.processors.keyfile import open_wrapper
from tachograph.processors.stops import write_stop
from tachograph.schemas.config import Configuration
from tachograph.schemas.event import rfc3339_ns
from tachograph.schemas.stops import Stop
from tachograph.schemas.topics import MAX_RECORD_BYTES

__all__ = ["Canary", "CanaryMetrics", "Result"]

MAX_EVENT_BYTES = 256 << 20
"""Events of one round kept in memory; a round is far below."""
_SEED_BITS = 62

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """One round: how much was planted, what of it could be read, and how many records never came."""

    session: str
    planted: int
    events: int
    missing: int
    leaks: tuple[str, ...]
    """The places of the plants that could be read; never their values."""
    stopped: int | None = None
    """The raw partition that was stopped for it."""

    @property
    def good(self) -> bool:
        return not self.leaks and not self.missing


class CanaryMetrics:
    """Counts since the start; a leak is an alarm."""

    def __init__(self) -> None:
        self.registry = kept = CollectorRegistry()
        self.planted = Counter("tacho_canary_planted", "Synthetic secrets sent in", registry=kept)
        self.leaks = Counter("tacho_canary_leaks", "Of them, readable behind the masker", registry=kept)
        self.unseen = Counter("tacho_canary_unseen", "Records without an event in time", registry=kept)
        self.stops = Counter("tacho_canary_stops", "Partitions stopped for a leak", registry=kept)


class Canary:
    """Rounds against one deployment."""

    def __init__(self, config: Configuration, *, base: Path, metrics: CanaryMetrics) -> None:
        self._settings = rdkafka_settings(config.kafka, base=base)
        self._topics = config.kafka.topics
        self._keys = open_wrapper(config, base=base)
        self._metrics = metrics

    def round(self, exchanges: int, *, wait_s: float) -> Result:
        """Plant this many exchanges and wait for their events; raises `BrokerFault`."""
        seeds = [secrets.randbits(_SEED_BITS) for _ in range(exchanges)]
        session = self._planted(seeds)
        try:
            with self._reader() as reader:
                partition = self._publish(session)
                self._metrics.planted.inc(len(session.plants))
                seen = _events(reader, session, wait_s)
        except KafkaException as error:
            raise BrokerFault(f"{self._settings['bootstrap.servers']}: {error.args[0].str()}") from None
        return self._judged(session, seen, partition)

    def _planted(self, seeds: list[int]) -> CanarySession:
        try:
            return plant_session(seeds, kek=self._keys, clock=time.time_ns, randomness=secrets.token_bytes)
        except CredentialsError as error:
            raise KeysAway(f"no data key can be wrapped: {error.detail}") from None

    def _judged(self, session: CanarySession, seen: dict[str, bytes], partition: int) -> Result:
        leaks = leaked(seen.values(), session.plants)
        places = tuple(sorted({plant.place for plant in leaks}))
        missing = len(session.expected - seen.keys())
        result = Result(str(session.id), len(session.plants), len(seen), missing, places)
        self._metrics.leaks.inc(len(leaks))
        self._metrics.unseen.inc(missing)
        if leaks:
            _log.critical("LEAK: planted secrets are readable on the masked topic", session=result.session,
                          leaks=len(leaks), places=places)  # fmt: skip
            self._stop(session, partition, len(leaks), places)
            result = replace(result, stopped=partition)
        elif missing:
            _log.error("canary records were not masked in time", session=result.session, missing=missing)
        else:
            _log.info("canary round good", session=result.session, planted=result.planted)
        return result

    def _stop(self, session: CanarySession, partition: int, leaks: int, places: tuple[str, ...]) -> None:
        """Stop the partition first, then tell the analysts; both are the same however often they are said."""
        stop = Stop(
            finding=uuid.uuid5(session.id, "canary-leak"),
            partition=partition,
            session=session.id,
            leaks=leaks,
            places=places,
            raised=rfc3339_ns(time.time_ns()),
        )
        write_stop(self._settings, self._topics.stops, stop)
        self._metrics.stops.inc()
        told = finding(stop)
        headers: list[tuple[str, str | bytes | None]] = [
            ("uid", str(told.uid)),
            ("type", told.type),
            ("day", told.day),
            ("content-type", "application/json"),
        ]
        producer = self._producer()
        producer.produce(self._topics.masked, told.value, str(told.session).encode(), headers=headers)
        if producer.flush(2 * ASK_S):
            raise BrokerFault("the finding of a leak was not delivered; its partition is stopped")

    def _producer(self) -> Producer:
        return Producer({**self._settings, "acks": "all", "enable.idempotence": True,
                         "partitioner": "murmur2_random", "message.max.bytes": MAX_RECORD_BYTES,
                         "message.timeout.ms": int(ASK_S * 1000), "error_cb": _quiet})  # fmt: skip

    def _publish(self, session: CanarySession) -> int:
        """Key and records, in order; the raw partition that they lie in."""
        failed: list[str] = []
        partitions: set[int] = set()
        producer = self._producer()

        def delivered(error: Any, message: Message) -> None:
            if error is not None:
                failed.append(error.str())
            elif message.topic() == self._topics.raw:
                partitions.add(message.partition() or 0)

        def flush() -> None:
            if producer.flush(2 * ASK_S) or failed:
                raise BrokerFault(f"canary records were not delivered: {(failed or ['no answer'])[0]}")

        producer.produce(self._topics.keys, session.key.encode(), session.key.strand, on_delivery=delivered)
        flush()  # the key is there before the first record that needs it
        for record in session.records:
            producer.produce(self._topics.raw, record, str(session.id).encode(), on_delivery=delivered)
        flush()
        (partition,) = partitions  # one key, one partition
        return partition

    @contextmanager
    def _reader(self) -> Iterator[Consumer]:
        """A consumer of the whole masked topic from now on; it belongs to no group and commits nothing."""
        consumer = Consumer({**self._settings, "group.id": f"{self._topics.masked}.canary",
                             "enable.auto.commit": False, "auto.offset.reset": "error",
                             "allow.auto.create.topics": False, "error_cb": _quiet})  # fmt: skip
        try:
            places = partitions(consumer, self._topics.masked)
            for place in places:
                _, place.offset = span(consumer, place)
            consumer.assign(places)
            yield consumer
        finally:
            consumer.close()


def _events(reader: Consumer, session: CanarySession, wait_s: float) -> dict[str, bytes]:
    """The session's events by uid, in order, as soon as all are there or the time is over."""
    seen: dict[str, bytes] = {}
    key, size = str(session.id).encode(), 0
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and session.expected - seen.keys() and size < MAX_EVENT_BYTES:
        for message in reader.consume(500, 0.2):
            value = message.value()
            if message.error() is None and message.key() == key and value is not None:
                seen[_uid(message)] = value
                size += len(value)
    return seen


def _uid(message: Message) -> str:
    headers = dict(message.headers() or ())
    uid = headers.get("uid") or b""
    return uid.decode() if isinstance(uid, bytes) else uid


def _quiet(_: object) -> None:
    """librdkafka retries by itself; what it gives up comes back as an exception or a failed delivery."""
