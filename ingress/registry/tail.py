"""Releases and their snapshots, followed by one thread: tells what is in force once all of it is there.

What is not signed by the control key, or contradicts what was released, is ignored, logged and counted.
Releases are read to their end first: then the snapshot of the one in force is known for it when it comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tachograph.ingress.faults import log_fault
from tachograph.ingress.registry.reading import READING, put
from tachograph.schemas.control import ControlBook, Release
from tachograph.schemas.errors import RecordError
from tachograph.schemas.topics import Topics

__all__ = ["Tail", "Told"]

Told = Callable[[Release, bytes], None]
"""What is in force from now on, and its snapshot's bytes; called in the tail's thread."""
WAIT_SECONDS = 0.5
"""How long the thread sleeps in the client when nothing comes; a message wakes it at once."""
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
STOP_SECONDS = 5.0
ASK_SECONDS = 6.0

log = structlog.get_logger(__name__)


class Tail:
    """`start` it once; `stop` ends its thread. Kafka may come and go; what was told stays told."""

    def __init__(
        self, told: Told, book: ControlBook, *, topics: Topics, settings: Mapping[str, object]
    ) -> None:
        self.problem = "the control topic has not been read yet"
        self.cut = False
        """Whether releases were deleted from the beginning of their topic."""
        self.ignored = 0
        """Records that are not to be believed."""
        self.heard = threading.Event()
        """Whether Kafka has shown anything of the topics."""
        self.caught_up = threading.Event()
        """Whether everything that was on the topics has been read once."""
        self._told = told
        self._book = book
        self._topics = topics
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
        releases = TopicPartition(self._topics.releases, 0, OFFSET_BEGINNING)
        consumer.assign([releases])
        both = False
        while not self._stopping.is_set():
            message = consumer.poll(WAIT_SECONDS)
            if message is None:
                continue
            if message.error() is None or _is_end(message):
                self.heard.set()
            if _is_end(message) and not both:
                low, _ = consumer.get_watermark_offsets(releases, timeout=ASK_SECONDS)
                self.cut, both = low > 0, True
                consumer.incremental_assign([TopicPartition(self._topics.control, 0, OFFSET_BEGINNING)])
            else:
                self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if _is_end(message):
                if message.topic() == self._topics.control:
                    self.problem = ""
                    self._say()
                    self.caught_up.set()
                return
            if error.fatal() or error.code() == KafkaError.OFFSET_OUT_OF_RANGE:
                raise KafkaException(error)
            self._trouble(error)
            return
        try:
            put(self._book, message, self._topics)
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


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  the client's own name


_OURS: dict[str, object] = {
    **READING,
    "client.id": "tacho-control",
    "group.id": "tacho-control",  # the client wants one; nothing is committed under it
    "socket.timeout.ms": 6000,
    "reconnect.backoff.max.ms": 1000,
    "fetch.wait.max.ms": 250,  # an end is told of only when such a wait is over, and there are two
    "queued.max.messages.kbytes": 8192,
}
