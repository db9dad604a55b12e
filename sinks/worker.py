"""The sink's process: masked topic and checkpoints in, OpenSearch documents out, until it is told to stop.

At start both engines must answer within `START_SECONDS`; afterwards each may go away for as long as it likes.
The main thread reads, hands out, collects and commits; two lanes talk to OpenSearch.
The few checkpoints have a thread and a consumer of their own.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tachograph.operations.thread import serve_if_free
from tachograph.schemas.config import Configuration
from tachograph.sinks.access import kafka_client
from tachograph.sinks.batch import Batch, Batcher
from tachograph.sinks.checkpoint_copy import CheckpointCopy, Copying, checkpoint_source
from tachograph.sinks.client import Cluster
from tachograph.sinks.consumer import COMMIT_SECONDS, Source, settings
from tachograph.sinks.deadletter import DeadLetterTopic
from tachograph.sinks.deliver import Delivery
from tachograph.sinks.errors import (
    CallRefused,
    DependencyDown,
    NotProvisioned,
    Stopping,
    Unavailable,
)
from tachograph.sinks.index_templates import CHECKPOINTS
from tachograph.sinks.lanes import LANES, Lanes
from tachograph.sinks.metrics import Metrics
from tachograph.sinks.offsets import Partition

__all__ = ["START_SECONDS", "STOP_SECONDS", "Loop", "run"]

log = structlog.get_logger(__name__)

START_SECONDS = 30.0
"""How long Kafka and OpenSearch may take to answer at start; past it the process ends with exit code 3."""
STOP_SECONDS = 4.0
"""How long batches in flight may still take once the process is told to stop."""
HOLD_AFTER_SECONDS = 1.0
"""How long nothing is read because both lanes are busy before the partitions pause."""
_READ_SECONDS = 0.05
_ASK_AGAIN_SECONDS = 0.5


class Loop:
    """The main thread's turns. `clock` is monotonic seconds."""

    def __init__(
        self, source: Source, lanes: Lanes, batcher: Batcher, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._lanes = lanes
        self._batcher = batcher
        self._metrics = metrics
        self._clock = clock
        self._committed_at = clock()
        self._full_since: float | None = None

    def turn(self) -> None:
        """Collect what is done, hand out what is due, read what there is room for."""
        self._collect(0.0)
        now = self._clock()
        while self._lanes.free and self._batcher.due(now=now):
            self._lanes.submit(self._batcher.take())
        if self._batcher.full:
            self._crowded(now)
        else:
            self._full_since = None
            self._source.release()
            self._read()
        if now - self._committed_at >= COMMIT_SECONDS:
            self._housekeeping(now)

    def drain(self, seconds: float) -> None:
        """Collect what the lanes still finish within this time; what they do not is read again later."""
        end = self._clock() + seconds
        while self._lanes.busy and (left := end - self._clock()) > 0:
            self._collect(left)

    def _crowded(self, now: float) -> None:
        # Both lanes are busy and a whole batch waits. A moment of it is the normal pace of a full pipe.
        self._full_since = now if self._full_since is None else self._full_since
        if now - self._full_since < HOLD_AFTER_SECONDS:
            self._collect(_READ_SECONDS)
            return
        self._source.hold()
        self._read()
        self._collect(_READ_SECONDS)

    def _read(self) -> None:
        for message in self._source.read(_READ_SECONDS):
            self._batcher.add(message, now=self._clock())

    def _collect(self, seconds: float) -> None:
        for batch in self._lanes.collect(seconds):
            self._source.acknowledge(batch.messages)

    def _housekeeping(self, now: float) -> None:
        self._committed_at = now
        self._source.commit()
        self._metrics.observe(
            unacknowledged=self._source.unacknowledged,
            paused=self._source.held,
            skipped=self._source.skipped,
            lag=self._source.lag(),
        )


def run(config: Configuration, *, base: Path) -> None:
    """Index the masked topic until SIGTERM or SIGINT; prints `ready {json}` when it serves.

    Relative paths of the configuration lie below `base`. Raises `SinkError` where it cannot go on; its
    `exit_code` is 3 when an engine is down for `START_SECONDS` at start.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _serve(config, base, stop)
    except Stopping:
        return


def _serve(config: Configuration, base: Path, stop: threading.Event) -> None:
    clock = time.monotonic
    metrics, batcher = Metrics(clock), Batcher()
    wait = _waiter(stop)
    client = kafka_client(config.kafka, base=base)
    prefix = config.opensearch.index_prefix
    cluster = Cluster(config.opensearch, base=base, lanes=LANES + 1)
    group = f"{config.kafka.topic_prefix}.sink.opensearch.{prefix}"

    def dropped(partitions: set[Partition]) -> None:
        batcher.drop(partitions)

    source = Source(settings(client, group=group), config.kafka.topics.masked, dropped=dropped)
    checkpoints = checkpoint_source(config, client, group=group)
    for ask in (source.check, checkpoints.check, lambda: _provisioned(cluster, prefix)):
        _within(START_SECONDS, ask, wait=wait, clock=clock)
    delivery = Delivery(
        index_prefix=prefix,
        documents=cluster,
        dead_letters=DeadLetterTopic(client, config.kafka.topics.deadletter, clock=clock, wait=wait),
        observer=metrics,
        wait=wait,
        rng=random.SystemRandom(),
    )

    def deliver(batch: Batch) -> None:
        with metrics.call_seconds.time():
            delivery.deliver(batch)

    lanes = Lanes(deliver)
    listen = config.sink.metrics
    url = (
        None
        if listen is None
        else serve_if_free(listen, metrics.registry, metrics.readiness, setting="sink.metrics")
    )
    copy = CheckpointCopy(f"{prefix}-{CHECKPOINTS}", cluster, metrics, wait, random.SystemRandom())
    copying = Copying(checkpoints, copy, stop)
    source.subscribe()
    copying.start()
    metrics.started()
    print("ready", json.dumps({"part": "sink", "group": group, "metrics": url}), flush=True)
    loop = Loop(source, lanes, batcher, metrics, clock)
    try:
        while not stop.is_set():
            loop.turn()
        loop.drain(STOP_SECONDS)
    finally:
        lanes.close(0.1)
        source.close()
        copying.close()


def _waiter(stop: threading.Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopping

    return wait


def _within(
    seconds: float, ask: Callable[[], None], *, wait: Callable[[float], None], clock: Callable[[], float]
) -> None:
    """Ask until there is an answer; raises `DependencyDown` when there is none in this time."""
    end = clock() + seconds
    while True:
        try:
            return ask()
        except (Unavailable, CallRefused) as fault:
            if clock() >= end:
                raise DependencyDown(
                    f"{fault} (asked for {seconds:.0f} s); start it, or correct its address"
                ) from None
        wait(_ASK_AGAIN_SECONDS)


def _provisioned(cluster: Cluster, prefix: str) -> None:
    for name in (f"{prefix}-events", f"{prefix}-{CHECKPOINTS}"):
        if cluster.get(f"/_index_template/{name}") is None:
            raise NotProvisioned(f"index template {name} does not exist; run `tacho provision` first")
