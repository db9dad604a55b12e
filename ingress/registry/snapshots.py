"""Writes registries on the control topic under their digests: whoever masks looks up there what is named.

No release names what a file registers, so nobody else would ever remove it: `prune` keeps the newest few.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from tachograph.ingress.errors import RegistryAway
from tachograph.ingress.registry.reading import READING, put, to_ends
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import REMOVED, ControlBook, ControlKey
from tachograph.schemas.errors import RecordError
from tachograph.schemas.topics import Topics

__all__ = ["MAX_FILE_SNAPSHOTS", "Snapshots"]

MAX_FILE_SNAPSHOTS = 100
"""Registries of files that stay on the topic; records that name an older one are told without bodies."""

WRITE_SECONDS = 5.0
"""How long Kafka may take; then the caller tries again."""
LOOK_SECONDS = 0.1
MAX_MESSAGE_BYTES = 4 << 20


class Snapshots:
    """The writing end. A producer lives for one snapshot: they are as rare as changes of the file."""

    def __init__(self, settings: Mapping[str, object], topics: Topics, key: ControlKey) -> None:
        self._base = settings
        self._settings = {**settings, **_OURS}
        self._topics = topics
        self._topic = topics.control
        self._key = key

    def write(self, data: bytes, *, stopping: Callable[[], bool]) -> None:
        """Return when Kafka has it on disk, in all replicas in sync. Raises `RegistryAway`."""
        self._append([(sha256_hex(data), data)], stopping)

    def prune(self, *, stopping: Callable[[], bool]) -> None:
        """Remove the registries of files but the newest `MAX_FILE_SNAPSHOTS`. Raises `RegistryAway`."""
        gone = self._unreleased()[:-MAX_FILE_SNAPSHOTS]
        if gone and not stopping():
            self._append([(digest, REMOVED) for digest in gone], stopping)

    def _unreleased(self) -> list[str]:
        """The digests that no release names, in the order in which they were written last."""
        book, found = ControlBook(self._key), dict[str, None]()
        consumer = Consumer({**self._base, **READING, "group.id": f"{self._topic}.pruning", "log_level": 0})
        try:
            for message in to_ends(consumer, self._topics, seconds=WRITE_SECONDS):
                digest = (message.key() or b"").decode("utf-8", "replace")
                try:
                    put(book, message, self._topics)
                    there = book.snapshot(digest) is not None
                except RecordError:
                    continue
                found.pop(digest, None)
                if there:
                    found[digest] = None
        except KafkaException as error:
            raise self._away(error.args[0]) from None
        finally:
            consumer.close()
        released = {one.digest for one in book.releases.values()}
        return [digest for digest in found if digest not in released]

    def _append(self, records: Sequence[tuple[str, bytes]], stopping: Callable[[], bool]) -> None:
        told: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            told.append(error)

        try:
            producer = Producer(self._settings)
            for digest, data in records:
                producer.produce(
                    self._topic, key=digest, value=self._key.seal(digest, data), on_delivery=delivered
                )
            deadline = time.monotonic() + WRITE_SECONDS
            while len(told) < len(records) and time.monotonic() < deadline and not stopping():
                producer.poll(LOOK_SECONDS)
            if len(told) < len(records):
                producer.purge()
                told = [KafkaError(KafkaError._TIMED_OUT)]  # noqa: SLF001  the client's own name
        except KafkaException as error:
            told = [error.args[0]]
        problem = next((one for one in told if one is not None), None)
        if problem is not None:
            raise self._away(problem)

    def _away(self, problem: KafkaError) -> RegistryAway:
        return RegistryAway(
            f"{self._topic}: Kafka answers {problem.name()}; is it up, is the topic there"
            " (`tacho provision`), and may the ingress write to it?"
        )


_OURS: dict[str, object] = {
    "client.id": "tacho-snapshots",
    "acks": "all",  # and not idempotent: that costs half a second first, and twice the same is the same
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "message.timeout.ms": int(WRITE_SECONDS * 1000),
    "log_level": 0,  # what it would say comes back in words of our own
}
