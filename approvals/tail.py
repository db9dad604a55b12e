"""The approvals topic, followed to its end by one thread and handed on in the log's order.

It joins no group: every ingress worker and every console reads everything, from so far back that nothing
older can matter, or further where the history is wanted. What it hands on is signed and stamped by the
broker; all else is not.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from confluent_kafka import (
    OFFSET_END,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tachograph.schemas.approval import ApprovalEvent, ApprovalKey
from tachograph.schemas.approval_book import MEMORY_MS
from tachograph.schemas.errors import RecordError

__all__ = ["Clock", "Entry", "Reader", "Tail"]

BATCH = 500
WAIT_SECONDS = 0.5
"""How long the thread sleeps in the client when nothing comes; a message wakes it at once."""
CATCH_UP_SECONDS = 0.02
"""The same before the end of the log was reached: somebody may be waiting for that."""
MEASURE_SECONDS = 1.0
"""How often the broker is asked where the log ends."""
ASK_SECONDS = 2.0
"""The longest that one question to the broker may take."""
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
_GONE = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}  # noqa: SLF001  librdkafka's local codes have no public name

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with the broker's own time of it, Unix milliseconds."""

    event: ApprovalEvent
    log_ms: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as an argument: Unix milliseconds, and seconds that never go back."""

    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic


class Reader(Protocol):
    """Who is told, from the tail's thread."""

    def begun(self) -> None:
        """Everything that was told before is void: it is read anew from here."""
        ...

    def read(self, entries: Sequence[Entry]) -> None:
        """The next events of the log."""
        ...

    def fresh(self, asked: float) -> None:
        """Everything that was in the log at monotonic time `asked` has been told."""
        ...


class Tail:
    """`start` it once; `stop` ends its thread. Kafka may come and go."""

    def __init__(
        self,
        reader: Reader,
        *,
        topic: str,
        key: ApprovalKey,
        settings: Mapping[str, object],
        memory_ms: int = MEMORY_MS,
        clock: Clock = Clock(),
    ) -> None:
        self.ignored = 0
        """Events that nobody who holds our key has signed, or that no broker stamped."""
        self.problem = "the approvals topic has not been read yet"
        self._reader = reader
        self._partition = (topic, 0)
        self._key = key
        self._settings = {**settings, **_OURS}
        self._memory_ms = memory_ms
        self._clock = clock
        self._next = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tacho-approvals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns within a few seconds."""
        self._stopping.set()
        self._thread.join(2 * ASK_SECONDS + WAIT_SECONDS)

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                consumer = Consumer(dict(self._settings))
            except KafkaException as error:
                self._trouble(error.args[0])
            else:
                try:
                    self._follow(consumer)
                    attempt = 0
                except KafkaException as error:
                    self._trouble(error.args[0])
                except Exception as error:  # noqa: BLE001  whatever it is, who waits must not starve
                    self._failed(error)
                finally:
                    consumer.close()
            self._stopping.wait(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
            attempt += 1

    def _follow(self, consumer: Consumer) -> None:
        self._next = self._first_offset(consumer)
        consumer.assign([TopicPartition(*self._partition, self._next)])
        self._reader.begun()
        asked, behind = self._clock.monotonic(), True
        while not self._stopping.is_set():
            first = consumer.poll(CATCH_UP_SECONDS if behind else WAIT_SECONDS)
            if first is not None:  # `consume` alone would wait for a whole batch
                self._hand_on([first, *consumer.consume(BATCH - 1, timeout=0)])
            if (behind and first is None) or self._clock.monotonic() - asked >= MEASURE_SECONDS:
                asked = self._clock.monotonic()
                behind = self._measure(consumer, asked)

    def _first_offset(self, consumer: Consumer) -> int:
        end = self._end(
            consumer
        )  # asked for first, or an event that comes between the two answers is skipped
        since = TopicPartition(*self._partition, self._clock.wall_ms() - self._memory_ms)
        (found,) = consumer.offsets_for_times([since], timeout=ASK_SECONDS)
        if found.error is not None:
            raise KafkaException(found.error)
        if found.offset not in {OFFSET_END, -1}:
            return int(found.offset)
        return end

    def _end(self, consumer: Consumer) -> int:
        _, high = consumer.get_watermark_offsets(TopicPartition(*self._partition), timeout=ASK_SECONDS)
        return int(high)

    def _measure(self, consumer: Consumer, asked: float) -> bool:
        """Ask the broker where the log ends: only that proves that nothing is missing. True if behind."""
        try:
            end = self._end(consumer)
        except KafkaException as error:
            self._trouble(error.args[0])
            return False
        if end < self._next:  # the topic was made anew
            raise KafkaException(KafkaError(KafkaError.OFFSET_OUT_OF_RANGE))
        if end > self._next:
            return True
        self.problem = ""
        self._reader.fresh(asked)
        return False

    def _hand_on(self, messages: Sequence[Message]) -> None:
        entries = []
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() in _GONE:
                    raise KafkaException(error)
                self._trouble(error)
                continue
            self._next = (message.offset() or 0) + 1
            entry = self._entry(message)
            if entry is not None:
                entries.append(entry)
        if entries:
            self._reader.read(entries)

    def _entry(self, message: Message) -> Entry | None:
        kind, log_ms = message.timestamp()
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            self._ignore("the topic lacks message.timestamp.type=LogAppendTime; run `tacho provision`")
            return None
        try:
            return Entry(self._key.open(message.value() or b""), int(log_ms))
        except RecordError as error:
            self._ignore(str(error))
            return None

    def _ignore(self, reason: str) -> None:
        self.ignored += 1
        if (
            self.ignored & (self.ignored - 1) == 0
        ):  # the 1st, 2nd, 4th, 8th ...: whoever floods the topic shall not flood the log
            log.error("approval_event_ignored", reason=reason, ignored=self.ignored)

    def _failed(self, error: Exception) -> None:
        # Kind and places only: the text of a foreign exception could quote an event.
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        log.error("approvals_tail_failed", kind=type(error).__name__, frames=frames)
        self.problem = "the approvals topic could not be read; the log says more"

    def _trouble(self, error: KafkaError) -> None:
        problem = f"Kafka answers {error.name()} for the approvals topic"
        if problem != self.problem:
            log.warning("approvals_topic_away", problem=problem)
        self.problem = problem


_OURS: dict[str, object] = {
    "client.id": "tacho-approvals",
    "group.id": "tacho-approvals",  # the client wants one; nothing is committed under it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "socket.timeout.ms": 6000,
    "reconnect.backoff.max.ms": 1000,
    "fetch.wait.max.ms": 1000,
    "queued.max.messages.kbytes": 4096,
}
