"""The control topic, followed by one thread: tells what is in force as soon as the topic has all of it.

What is not signed by the control key, or was signed before what is in force, is ignored, logged and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tachograph.ingress.faults import log_fault
from tachograph.schemas.control import ControlBook, Release
from tachograph.schemas.errors import RecordError

__all__ = ["Tail", "Told"]

Told = Callable[[Release, bytes], None]
"""What is in force from now on, and its snapshot's bytes; called in the tail's thread."""
WAIT_SECONDS = 0.5
"""How long the thread sleeps in the client when nothing comes; a message wakes it at once."""
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
STOP_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Tail:
    """`start` it once; `stop` ends its thread. Kafka may come and go; what was told stays told."""

    def __init__(self, told: Told, book: ControlBook, *, topic: str, settings: Mapping[str, object]) -> None:
        self.problem = "the control topic has not been read yet"
        self.ignored = 0
        """Records that are not to be believed."""
        self.caught_up = threading.Event()
        """Whether everything that was on the topic has been read once."""
        self._told = told
        self._book = book
        self._topic = topic
        self._settings = dict(settings)
        self._last: Release | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tacho-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns within a few seconds."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                consumer = Consumer({**self._settings, **_OURS})
                try:
                    self._follow(consumer)
                    attempt = 0
                finally:
                    consumer.close()
            except KafkaException as error:
                self._trouble(error.args[0])
            except Exception as error:  # noqa: BLE001  whatever it is, the next release must be seen
                log_fault("control_tail_failed", error)
            self._stopping.wait(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
            attempt += 1

    def _follow(self, consumer: Consumer) -> None:
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        while not self._stopping.is_set():
            message = consumer.poll(WAIT_SECONDS)
            if message is not None:
                self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's local codes have no public name
                self.problem = ""
                self._say()
                self.caught_up.set()
                return
            if error.fatal() or error.code() == KafkaError.OFFSET_OUT_OF_RANGE:
                raise KafkaException(error)
            self._trouble(error)
            return
        try:
            self._book.put((message.key() or b"").decode("utf-8", "replace"), message.value())
        except RecordError as refused:
            self._ignore(str(refused))
        if self.caught_up.is_set():
            self._say()

    def _say(self) -> None:
        """Of what was released while nobody looked, only the last matters."""
        release = self._book.current
        data = self._book.snapshot(release.digest) if release is not None else None
        if release is not None and release != self._last and data is not None:
            self._last = release
            self._told(release, data)

    def _ignore(self, reason: str) -> None:
        self.ignored += 1
        if self.ignored & (self.ignored - 1) == 0:  # the 1st, 2nd, 4th ...: a flood there is none here
            log.error("control_record_ignored", reason=reason, ignored=self.ignored)

    def _trouble(self, error: KafkaError) -> None:
        problem = f"Kafka answers {error.name()} for the control topic"
        if problem != self.problem:
            log.warning("control_topic_away", problem=problem)
        self.problem = problem


_OURS: dict[str, object] = {
    "client.id": "tacho-control",
    "group.id": "tacho-control",  # the client wants one; nothing is committed under it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",  # a snapshot and its release come together or not at all
    "socket.timeout.ms": 6000,
    "reconnect.backoff.max.ms": 1000,
    "fetch.wait.max.ms": 1000,
    "queued.max.messages.kbytes": 8192,
}
