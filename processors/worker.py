"""The processor's process: Faust reads the raw topic, the flow does the work, and the end is always said.

Faust's law is that an exception in an agent acknowledges and loses its record. So nothing is raised to it: a
fault is logged and ends the process at once, uncommitted, and a restart reads the record again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import faust
import orjson
import structlog
import uvloop
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from faust.types import TP

from tachograph.operations.thread import serve_if_free
from tachograph.processors.assemble import Assembler
from tachograph.processors.attempts import Attempts
from tachograph.processors.brokers import faust_settings, rdkafka_settings
from tachograph.processors.deadletter import Budget
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.errors import BrokerFault, DeadLetterFlood, OperatorError, ProcessorError
from tachograph.processors.escrow import escrow_of
from tachograph.processors.faults import Faults
from tachograph.processors.faust_marks import MarkedTransport, QuietMonitor
from tachograph.processors.flow import Flow, FlowParts
from tachograph.processors.gaps import look_into
from tachograph.processors.keyfile import open_keys, read_key
from tachograph.processors.keys_cache import KeysReader, KeyTable
from tachograph.processors.lanes import Lane, Lanes
from tachograph.processors.logs import Alarm, log_to_stderr
from tachograph.processors.maskers import Maskers, MaskerWorks
from tachograph.processors.metrics import Metrics
from tachograph.processors.pipeline import Pipeline
from tachograph.processors.publish import Publisher
from tachograph.processors.readiness import Vitals, Watch
from tachograph.processors.recall import Recall
from tachograph.processors.registries import ControlReader, Registries, follows, own_name
from tachograph.processors.slots import Slot
from tachograph.processors.standstill import Standstill
from tachograph.processors.stops import StopsReader
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook, ControlKey

__all__ = ["run"]

START_S = 60.0
"""How long Kafka and the topics may be missing at the start."""
STOP_S = 8.0
DRAIN_S = 4.0
LETTERS_S = 20.0
"""How long the dead letters of a flood may take to arrive before it ends the process: its last word names
them."""
METRICS_S = 1.0
ALARM_S = 60.0
"""An alarm that goes on is logged once in this time."""
EXIT_FAULT = 1
EXIT_CONFIG = 2
EXIT_DEPENDENCY = 3
SESSION_TIMEOUT_S = 10.0
COMMIT_INTERVAL_S = 1.0
STREAM_BUFFER = 512
"""Records that Faust holds ready: at 256 KiB each they must fit in memory."""
FETCH_BYTES = 4 << 20

_log = structlog.get_logger(__name__)


def run(config: Configuration, *, base: Path, group: str | None = None) -> None:
    """Process the raw topic until SIGTERM or SIGINT; returns after a clean end.

    `base` is what relative paths in the configuration are relative to; `group` is Kafka's consumer group, for
    a second run over the same records. Exits 3 where Kafka, a topic or the keys are missing for `START_S` at
    the start, 2 where a file of the operator's cannot be used, 1 where a fault ends the work.
    """
    log_to_stderr()
    try:
        worker = Worker(config, base=base, group=group or f"{config.kafka.topic_prefix}.processors")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(worker.run())
    except OperatorError as error:
        _log.error("cannot start", error=str(error))
        raise SystemExit(EXIT_CONFIG) from None
    except BrokerFault as error:
        _log.error("cannot start: a part that is needed is down", error=str(error))
        raise SystemExit(EXIT_DEPENDENCY) from None


class Worker:
    """Everything one process holds."""

    def __init__(self, config: Configuration, *, base: Path, group: str) -> None:
        self._config = config
        self._base = base
        self._group = group
        self._topics = config.kafka.topics
        self._settings = rdkafka_settings(config.kafka, base=base)
        self._data = base / config.processor.data_dir
        self._stop = asyncio.Event()
        self._ring = open_keys(config, base=base)
        pseudonym_key = read_key(base / config.keys.pseudonym_file)
        self.metrics = Metrics()
        self._control: ControlReader | None = None
        growing = follows(config, base=base)
        works = MaskerWorks(config, base=base, pseudonym_key=pseudonym_key, growing=growing)
        own = works.own()
        self._registries = self._follows(works, own) if growing else None
        self._pipeline = Pipeline(
            own,
            enrich,
            by_registry=self._registries.masker if self._registries else lambda _, __: None,
            count_withheld=lambda reason: self.metrics.withheld.labels(reason).inc(),
            message_secret=pseudonym_key,
        )
        self._escrow = escrow_of(config.escrow, base=base)
        self._slot = Slot(self._data)
        self._attempts = Attempts(self._data, slot=self._slot.number)
        self._keys = KeysReader(self._settings, self._topics.keys, KeyTable(self._ring))
        self._lanes = Lanes(self._assembler)
        self._stops = StopsReader(self._settings, self._topics.stops)
        self._standstill = Standstill(self._lanes, self._stops.stopped)
        self._alarm = Alarm(ALARM_S, clock=time.monotonic)
        self._vitals = Watch(time.monotonic)
        self._url: str | None = None

    async def run(self) -> None:
        """Start in the order of dependence, work, and stop in the other order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._config.processor.metrics is not None:
            self._url = serve_if_free(
                self._config.processor.metrics,
                self.metrics.registry,
                self._vitals.readiness,
                setting="processor.metrics",
            )
        await asyncio.to_thread(_wait_for_topics, self._settings, self._needed())
        self._keys.start()
        await self._until(lambda: self._keys.ready, "the keys topic could not be read")
        self._stops.start()
        await self._until(lambda: self._stops.ready, "the stops topic could not be read")
        if self._control is not None:
            self._control.start()
            control = self._control
            await self._until(lambda: control.ready, "the control topic could not be read")
        publisher = Publisher(self._settings, on_fatal=_die)
        publisher.start()
        app = self._app(self._flow(publisher))
        await app.start()
        watch = loop.create_task(self._watch(app, publisher))
        await self._work(app)
        watch.cancel()
        await self._end(app, publisher)

    def _follows(self, works: MaskerWorks, own: Maskers) -> Registries:
        """The maskers of the registries on the control topic."""
        key = ControlKey(read_key(self._base / self._config.keys.control_file))
        self._control = ControlReader(self._settings, self._topics.control, ControlBook(key))
        name = own_name(self._config, base=self._base)
        return Registries(self._control, works.of, (name, own) if name is not None else None)

    def _needed(self) -> tuple[str, ...]:
        topics = self._topics
        control = (topics.control,) if self._control is not None else ()
        escrow = (topics.escrow,) if self._escrow is not None else ()
        return (topics.raw, topics.masked, topics.keys, topics.deadletter, topics.stops, *control, *escrow)

    def _assembler(self) -> Assembler:
        bounds = self._config.processor
        return Assembler(hold_bytes=bounds.hold_bytes, hold_seconds=bounds.hold_seconds)

    def _flow(self, publisher: Publisher) -> Flow:
        return Flow(
            FlowParts(
                topics=self._topics,
                lanes=self._lanes,
                keys=self._keys,
                pipeline=self._pipeline,
                publisher=publisher,
                budget=Budget(self._data / f"deadletters-{self._slot.number}.json", clock=time.time),
                metrics=self.metrics,
                look_into=partial(look_into, self._settings),
                recall=Recall(self._settings, self._keys.table.cipher, self._assembler),
                attempts=self._attempts,
                stopped=self._stops.stopped,
                faults=Faults.of(os.environ),
                settle=self._registries.settle if self._registries else None,
                escrow=self._escrow,
            )
        )

    def _app(self, flow: Flow) -> faust.App:
        app = faust.App(
            self._group,
            **faust_settings(self._config.kafka, base=self._base),
            datadir=str(self._data / f"faust-{self._slot.number}"),
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            broker_session_timeout=SESSION_TIMEOUT_S,
            broker_heartbeat_interval=SESSION_TIMEOUT_S / 4,
            broker_commit_interval=COMMIT_INTERVAL_S,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=self._slot.instance_id,
            consumer_max_fetch_size=FETCH_BYTES,
            stream_buffer_maxsize=STREAM_BUFFER,
            stream_recovery_delay=0.0,
            stream_wait_empty=False,
            Monitor=QuietMonitor,
        )
        app.boot_strategy.enable_kafka_producer = False
        transport = MarkedTransport(app.conf.broker_consumer, app)
        transport.lanes = self._lanes
        app.transport = transport
        app.on_startup_finished = self._say_ready
        raw = app.topic(self._topics.raw, key_serializer="raw", value_serializer="raw")
        app.agent(raw, name="process", concurrency=1)(_agent(flow, self._stop))
        return app

    async def _work(self, app: faust.App) -> None:
        try:
            await app.wait(self._stop.wait())
        except Exception as error:  # noqa: BLE001  whatever ended Faust, the process ends with it
            _die(error)
        if not self._stop.is_set():
            _die(app.crash_reason or BrokerFault("Faust stopped by itself"))

    async def _end(self, app: faust.App, publisher: Publisher) -> None:
        _log.info("stopping")
        self._attempts.pardon()
        # Faust may swallow a cancellation, so the bound is a timer's: uncommitted is unread, not lost.
        overdue = threading.Timer(STOP_S, _flush_and_exit, (0,))
        overdue.daemon = True
        overdue.start()
        app.consumer.pause_partitions(app.consumer.assignment())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(publisher.drained(), DRAIN_S)
        await app.stop()
        publisher.stop()
        self._keys.stop()
        self._ring.close()
        self._stops.stop()
        if self._control is not None:
            self._control.stop()
        self._slot.release()
        overdue.cancel()
        _log.info("stopped")

    async def _say_ready(self) -> None:
        facts = {
            "part": "process",
            "group": self._group,
            "pid": os.getpid(),
            "raw": self._topics.raw,
            "metrics": self._url,
        }
        print("ready", orjson.dumps(facts).decode(), flush=True)

    async def _until(self, holds: Any, otherwise: str) -> None:
        deadline = time.monotonic() + START_S
        while not holds():
            if time.monotonic() > deadline:
                raise BrokerFault(f"{otherwise} within {START_S:.0f} s")
            await asyncio.sleep(0.05)

    async def _watch(self, app: faust.App, publisher: Publisher) -> None:
        while True:
            standing = await self._standstill.look(app.consumer)
            lag = self._look_at_lanes(app)
            reachable = await asyncio.to_thread(publisher.reachable, self._topics.masked)
            done = tuple(lane.ledger.done for lane in self._lanes)
            self.metrics.stopped.set(len(standing))  # before the verdict, which sends people to look at it
            self._vitals.observe(
                Vitals(
                    partitions=self._lanes.assigned,
                    waiting=lag + publisher.in_flight,
                    progress=(publisher.acknowledged, done),
                    reachable=reachable,
                    stopped=standing,
                )
            )
            self.metrics.in_flight.set(publisher.in_flight)
            self.metrics.held_bodies.set(sum(lane.ledger.held for lane in self._lanes))
            self.metrics.open_exchanges.set(sum(len(lane.exchanges) for lane in self._lanes))
            self.metrics.held_bytes.set(sum(lane.assembler.held_bytes for lane in self._lanes))
            await asyncio.sleep(METRICS_S)

    def _look_at_lanes(self, app: faust.App) -> int:
        """Measure each partition; returns how many raw records wait in all of them."""
        assigned = app.consumer.assignment()
        waiting = 0
        for lane in self._lanes:
            if TP(*lane.place) in assigned:
                lag = max((app.consumer.highwater(TP(*lane.place)) or 0) - lane.ledger.done, 0)
                self._look_at(lane, lag)
                waiting += lag
        return waiting

    def _look_at(self, lane: Lane, lag: int) -> None:
        partition = str(lane.place.partition)
        behind = time.time() - lane.reached_s if lag > 0 and lane.reached_s is not None else 0.0
        self.metrics.lag.labels(partition).set(lag)
        self.metrics.behind.labels(partition).set(behind)
        if behind > self._config.kafka.raw_retention_hours * 3600 / 2 and self._alarm.due(partition):
            _log.error("half of the raw retention is behind us: add workers", partition=partition, lag=lag)


def _agent(flow: Flow, stopping: asyncio.Event) -> Any:
    async def process(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await flow.take(event.message)
            except DeadLetterFlood as flood:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(flow.drained(), LETTERS_S)
                _die(flood)
            except Exception as error:  # noqa: BLE001  raised to Faust it would lose the record
                _die(error)
        if not stopping.is_set():
            _die(BrokerFault("the stream of records ended by itself"))

    return process


def _wait_for_topics(settings: dict[str, Any], needed: tuple[str, ...]) -> None:
    admin = AdminClient(settings)
    deadline = time.monotonic() + START_S
    missing = "Kafka did not answer"
    while time.monotonic() < deadline:
        try:
            there = admin.list_topics(timeout=5).topics
            absent = [name for name in needed if name not in there]
            if not absent:
                return
            missing = f"no topic {', '.join(absent)}: run `tacho provision`"
        except KafkaException as error:
            missing = f"{settings['bootstrap.servers']}: {error.args[0].str()}"
        time.sleep(0.5)
    raise BrokerFault(f"{missing} (waited {START_S:.0f} s)")


def _die(error: BaseException) -> None:
    """Log and end at once: no `finally` may commit what is not delivered."""
    code = EXIT_DEPENDENCY if isinstance(error, BrokerFault) else EXIT_FAULT
    _log.critical("processor ends", error=_said(error), kind=type(error).__name__, exit_code=code)
    _flush_and_exit(code)


def _said(error: BaseException) -> str:
    """Our own errors say what they mean; of a foreign one only the place, for its text may hold a payload."""
    if isinstance(error, ProcessorError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return f"at {frames[-1].filename}:{frames[-1].lineno}" if frames else "at an unknown place"


def _flush_and_exit(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
