"""The topics of registries for people: read to their ends, and one release appended, or nothing at all.

A release is one Kafka transaction under one name, so of two that are made at once one is refused; its
snapshot and its being in force are seen together or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from tachograph.cli.errors import PartDown, Refused
from tachograph.cli.settings import Settings
from tachograph.ingress.keyfile import read_key
from tachograph.ingress.recording.kafka_settings import client_settings
from tachograph.ingress.registry.reading import READING, put, to_ends
from tachograph.processors.asking import partitions
from tachograph.processors.errors import BrokerFault
from tachograph.schemas.control import KEPT_VERSIONS, RELEASE, REMOVED, ControlBook, ControlKey, Release
from tachograph.schemas.errors import RecordError
from tachograph.schemas.event import rfc3339_ns
from tachograph.schemas.registry import Registry

__all__ = ["ControlTopic", "Word"]

SECONDS = 20.0
"""The longest that Kafka may take for one step."""
TRANSACTION_MS = 15_000
SHOWN_SECONDS, LOOK_SECONDS = 30.0, 0.2
"""How long Kafka may take to show what it has committed, and how often that is looked for."""


@dataclass(frozen=True, slots=True)
class Word:
    """Who releases, and why; `expect` is the version that must be in force before, 0 for none."""

    by: str
    comment: str = ""
    expect: int | None = None


class ControlTopic:
    """Of one site. Raises PartDown where Kafka or the topic is not there."""

    def __init__(self, settings: Settings) -> None:
        config = settings.configuration
        self._key = ControlKey(read_key(settings.base / config.keys.control_file))
        self._topics = config.kafka.topics
        self._settings = client_settings(config.kafka, base=settings.base)

    def read(self) -> ControlBook:
        """Everything on the topics that is signed by our key."""
        book = ControlBook(self._key)
        consumer = Consumer({**self._settings, **READING, "group.id": f"{self._topics.control}.reader"})
        try:
            for topic in (self._topics.releases, self._topics.control):
                partitions(consumer, topic)  # a topic that is not there would only be waited for
            for message in to_ends(consumer, self._topics, seconds=SECONDS):
                try:
                    put(book, message, self._topics)
                except RecordError:
                    continue  # the parts that follow the topics log it
        except KafkaException as error:
            raise self._down(error) from None
        except BrokerFault as missing:
            raise PartDown(str(missing)) from None
        finally:
            consumer.close()
        return book

    def release(self, registry: Registry, word: Word) -> Release:
        """Put a registry in force, and read that back. Raises Refused where somebody else was first."""
        ours = {"transactional.id": f"{self._topics.control}.apply", "transaction.timeout.ms": TRANSACTION_MS}
        producer = Producer({**self._settings, **ours, "message.max.bytes": 4 << 20})
        try:
            producer.init_transactions(SECONDS)  # from here on, whoever came before us can commit nothing
            book = self.read()
            release = _next(book, registry, word)
            producer.begin_transaction()
            for digest, data in _snapshots(book, registry, release):
                producer.produce(self._topics.control, key=digest, value=self._key.seal(digest, data))
            producer.produce(self._topics.releases, value=self._key.seal(RELEASE, release.encode()))
            producer.commit_transaction(SECONDS)
        except KafkaException as error:
            if error.args[0].code() in _FENCED:
                raise Refused(
                    "somebody else releases at this moment: look at `tacho diff`, try again"
                ) from None
            raise self._down(error) from None
        if self._current(release.version) != release:
            raise Refused(f"version {release.version} was written, and another is in force already")
        return release

    def _current(self, least: int) -> Release:
        """What is in force, once that version is to be seen: Kafka shows a transaction after its commit."""
        deadline = time.monotonic() + SHOWN_SECONDS
        while (current := self.read().current) is None or current.version < least:
            if time.monotonic() >= deadline:
                raise PartDown(
                    f"version {least} was written, and Kafka does not show it: look at `tacho diff`"
                )
            time.sleep(LOOK_SECONDS)
        return current

    def _down(self, error: KafkaException) -> PartDown:
        return PartDown(
            f"{self._topics.control}: Kafka answers {error.args[0].name()}; is it up (`tacho up`), and are"
            f" this topic and {self._topics.releases} there (`tacho provision`)?"
        )


def _next(book: ControlBook, registry: Registry, word: Word) -> Release:
    version = book.current.version if book.current is not None else 0
    if word.expect is not None and word.expect != version:
        raise Refused(f"expected version {word.expect} to be in force, it is {version}: look at `tacho diff`")
    at = rfc3339_ns(time.time_ns())
    return Release(version=version + 1, digest=registry.digest, at=at, by=word.by, comment=word.comment)


def _snapshots(book: ControlBook, registry: Registry, release: Release) -> Iterator[tuple[str, bytes]]:
    """What is written beside a release: its snapshot, and the removal of those that are too old."""
    if book.snapshot(release.digest) is None:
        yield release.digest, registry.canonical()
    kept = {one.digest for version, one in book.releases.items() if version > release.version - KEPT_VERSIONS}
    for digest in sorted({one.digest for one in book.releases.values()} - kept - {release.digest}):
        if book.snapshot(digest) is not None:
            yield digest, REMOVED


_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001  the same
