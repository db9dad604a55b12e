"""The sealing process: masked topic in, leaves and signed checkpoints out, until it is told to stop.

Partitions are shared among the processes of one group; whoever is given one opens its log, which ends the
right of the one before. A fault of Kafka ends what is under way, and the log is taken up where it stands.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.operations.answers import Readiness
from tachograph.operations.thread import serve_if_free
from tachograph.processors.brokers import rdkafka_settings
from tachograph.processors.errors import BrokerFault, OperatorError
from tachograph.processors.keyfile import read_key
from tachograph.processors.logs import log_to_stderr
from tachograph.processors.sealing.anchoring import Offer, anchors_of
from tachograph.processors.sealing.log import LogState, Rhythm, checkpoint, grown
from tachograph.processors.sealing.metrics import Metrics
from tachograph.processors.sealing.reading import taken
from tachograph.processors.sealing.writer import ASK_SECONDS, PartitionLog
from tachograph.schemas.config import Configuration
from tachograph.schemas.leaf import GAP
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics

__all__ = ["Sealer", "Watch", "World", "origin_of", "run", "signer_of"]

log = structlog.get_logger(__name__)

BATCH_RECORDS = 1_000
"""Records of one transaction."""
READ_SECONDS = 0.25
START_SECONDS = 30.0
"""How long Kafka may take to answer at start; past it the process ends with exit code 3."""
STUCK_SECONDS = 60.0
"""Longer than this without a turn is not ready."""
MAX_FAULTS = 10
"""Faults of Kafka in a row, a second apart and more, before the process ends and is started anew."""
FAULT_SECONDS = 1.0


@dataclass(slots=True)
class _Open:
    """A partition that is ours: its writer, where its log stands, when it is to be signed."""

    writer: PartitionLog
    state: LogState
    rhythm: Rhythm


class Watch:
    """How the work goes, for /readyz: asked from another thread. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._at, self._held, self._faults = clock, clock(), 0, 0
        self.begun = False

    def turned(self, partitions: int) -> None:
        """One turn went well."""
        self._at, self._held, self._faults, self.begun = self._clock(), partitions, 0, True

    def failed(self) -> int:
        """One turn failed; how many did in a row."""
        self._faults += 1
        return self._faults

    def readiness(self) -> Readiness:
        """Ready while turns go well."""
        refusing = ""
        if not self.begun:
            refusing = "not yet in its group"
        elif self._faults:
            refusing = "Kafka fails"
        elif self._clock() - self._at > STUCK_SECONDS:
            refusing = "no turn was finished for a while"
        return Readiness(refusing, {"partitions": self._held, "faults": self._faults})


@dataclass(frozen=True, slots=True)
class World:
    """Time, as arguments: RFC 3339 for what is signed, monotonic seconds for what is due; and whom committed
    checkpoints are offered to, which must return at once."""

    now: Callable[[], str] = field(default=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    monotonic: Callable[[], float] = time.monotonic
    offer: Callable[[Offer], None] = field(default=lambda _: None)


class Sealer:
    """One member of the sealing group. `turn` is to be called again and again by one thread."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topics: Topics,
        settings: Sealing,
        *,
        signers: Callable[[str], NoteSigner],
        metrics: Metrics | None = None,
        world: World | None = None,
    ) -> None:
        self._client, self._topics, self._settings = dict(client), topics, settings
        self._signers = signers
        self._metrics = metrics or Metrics()
        self._world = world or World()
        self._open: dict[int, _Open] = {}
        self._consumer = Consumer(
            self._client
            | {
                "group.id": f"{topics.prefix}.sealing",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 1_500,
                "log_level": 0,
            }
        )
        self.sealed = 0
        """Leaves that this process has committed."""

    def check(self) -> None:
        """Raises `BrokerFault` when Kafka does not answer, `OperatorError` when a topic is not there."""
        try:
            known = self._consumer.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException:
            raise BrokerFault("Kafka did not answer") from None
        for name in (self._topics.masked, self._topics.leaves, self._topics.checkpoints):
            if name not in known:
                raise OperatorError(f"topic {name} does not exist; run `tacho provision` first")

    def subscribe(self) -> None:
        """Join the group; partitions come in during `turn`."""
        self._consumer.subscribe(
            [self._topics.masked], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    @property
    def partitions(self) -> tuple[int, ...]:
        return tuple(sorted(self._open))

    def turn(self) -> None:
        """Seal what came, sign what is due. Raises `BrokerFault`: then nothing of this turn counts."""
        came = self._read()
        now = self._world.monotonic()
        for partition, part in tuple(self._open.items()):
            self._seal(partition, part, came.get(partition, []), now)

    def close(self) -> None:
        """Leave the group so that others take over at once."""
        self._forget(tuple(self._open))
        self._consumer.close()

    def _read(self) -> dict[int, list[Message]]:
        came: dict[int, list[Message]] = defaultdict(list)
        for message in self._consumer.consume(BATCH_RECORDS, timeout=READ_SECONDS):
            error = message.error()
            if error is None:
                came[message.partition() or 0].append(message)
            elif error.fatal():
                raise OperatorError(f"Kafka ended this consumer: {error.name()}; start the worker again")
            else:
                log.warning("Kafka reported", reason=error.name())
        return came

    def _seal(self, partition: int, part: _Open, messages: list[Message], now: float) -> None:
        state, leaves = grown(part.state, [taken(message) for message in messages])
        due = part.rhythm.due(state.frontier.size, now=now)
        if not leaves and not due:
            return
        offer = self._signed(partition, state) if due else None
        note = None if offer is None else offer.note
        part.writer.commit(leaves, state, note=note, consumer=self._consumer)
        part.state = state
        self.sealed += len(leaves)
        self._metrics.leaves.inc(len(leaves))
        self._metrics.gaps.inc(sum(leaf.type == GAP for leaf in leaves))
        self._metrics.size.labels(partition).set(state.frontier.size)
        if offer is not None:
            part.rhythm.kept(state.frontier.size, now=now)
            self._metrics.checkpoints.inc()
            self._world.offer(offer)

    def _signed(self, partition: int, state: LogState) -> Offer:
        origin = origin_of(self._settings, self._topics, partition)
        said = checkpoint(origin, state, time=self._world.now())
        return Offer(partition, said, self._signers(origin).sign(said.text()))

    def _assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        for item in parts:
            writer = PartitionLog(self._client, self._topics, item.partition)
            state = writer.open()
            rhythm = Rhythm(
                self._settings.checkpoint_leaves, self._settings.checkpoint_seconds, state.frontier.size
            )
            self._open[item.partition] = _Open(writer, state, rhythm)
            item.offset = state.next_offset
        consumer.incremental_assign(parts)
        log.info("logs opened", partitions=sorted(item.partition for item in parts))

    def _revoked(self, _: Consumer, parts: list[TopicPartition]) -> None:
        self._forget([item.partition for item in parts])

    def _forget(self, partitions: tuple[int, ...] | list[int]) -> None:
        for partition in partitions:
            part = self._open.pop(partition, None)
            if part is not None:
                part.writer.close()


def origin_of(settings: Sealing, topics: Topics, partition: int) -> str:
    """The name of one partition's log."""
    return f"{settings.origin or f'tachograph/{topics.prefix}'}/{partition}"


def signer_of(path: Path) -> Callable[[str], NoteSigner]:
    """The log's key from its file, to sign under a log's name. Raises `OperatorError`."""
    private = Ed25519PrivateKey.from_private_bytes(read_key(path))
    return lambda origin: NoteSigner(origin, private)


def run(config: Configuration, *, base: Path) -> None:
    """Seal until SIGTERM or SIGINT; prints `ready {json}` when it serves.

    Raises `OperatorError` for what stands in the way, `BrokerFault` when Kafka stays away.
    """
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client, signers = rdkafka_settings(config.kafka, base=base), signer_of(base / config.keys.log_file)
    metrics, watch = Metrics(), Watch(time.monotonic)
    listen = config.sealing.metrics
    url = (
        None
        if listen is None
        else serve_if_free(listen, metrics.registry, watch.readiness, setting="sealing.metrics")
    )
    said = {"part": "seal", "origin": origin_of(config.sealing, config.kafka.topics, 0), "metrics": url}

    anchors = anchors_of(config.sealing, client, config.kafka.topics, metrics)

    world = World(offer=anchors.offer)

    def sealer() -> Sealer:
        return Sealer(
            client, config.kafka.topics, config.sealing, signers=signers, metrics=metrics, world=world
        )

    try:
        _seal_until(stop, sealer, watch, metrics, lambda: print("ready", json.dumps(said), flush=True))
    finally:
        anchors.close()


def _seal_until(
    stop: threading.Event,
    make: Callable[[], Sealer],
    watch: Watch,
    metrics: Metrics,
    on_ready: Callable[[], None],
) -> None:
    while not stop.is_set():
        sealer = make()
        try:
            _within(START_SECONDS, sealer.check, stop)
            sealer.subscribe()
            if not watch.begun:
                on_ready()
            while not stop.is_set():
                sealer.turn()
                watch.turned(len(sealer.partitions))
        except BrokerFault as fault:
            metrics.faults.inc()
            log.warning("Kafka failed; the logs are taken up where they stand", reason=str(fault))
            if watch.failed() >= MAX_FAULTS:
                raise
            stop.wait(FAULT_SECONDS)
        finally:
            sealer.close()


def _within(seconds: float, ask: Callable[[], None], stop: threading.Event) -> None:
    """Ask until there is an answer; raises the last fault when there is none in this time."""
    end = time.monotonic() + seconds
    while not stop.is_set():
        try:
            ask()
        except BrokerFault:
            if time.monotonic() >= end:
                raise
        else:
            return
        stop.wait(0.5)
