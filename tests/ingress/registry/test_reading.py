"""Both topics, read to their ends."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from tachograph.ingress.registry.reading import READING, put, to_ends
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import RELEASE, ControlBook, ControlKey, Release
from tachograph.schemas.topics import Topics

KEY = ControlKey(b"k" * 32)
SECONDS = 30.0


def test_releases_come_before_snapshots(registry_topics: Topics, stack: Any) -> None:
    """However they were written; and each is taken for what its topic says."""
    settings, book = {"bootstrap.servers": stack.bootstrap_servers}, ControlBook(KEY)
    release = Release(version=1, digest=sha256_hex(b"one"), at="2026-01-01T00:00:00.000000000Z", by="x")
    producer = Producer(settings)
    producer.produce(registry_topics.control, key=release.digest, value=KEY.seal(release.digest, b"one"))
    assert producer.flush(SECONDS) == 0
    producer.produce(registry_topics.releases, value=KEY.seal(RELEASE, release.encode()))
    assert producer.flush(SECONDS) == 0
    consumer = Consumer({**settings, **READING, "group.id": registry_topics.control})
    try:
        came = list(to_ends(consumer, registry_topics, seconds=SECONDS))
    finally:
        consumer.close()
    assert [message.topic() for message in came] == [registry_topics.releases, registry_topics.control]
    for message in came:
        put(book, message, registry_topics)
    assert (book.current, book.lost, book.snapshot(release.digest)) == (release, None, b"one")


def test_waiting_has_an_end() -> None:
    """Where there is no Kafka."""
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", **READING, "group.id": "x", "log_level": 0})
    try:
        with pytest.raises(KafkaException):
            list(to_ends(consumer, Topics("t"), seconds=0.2))
    finally:
        consumer.close()
