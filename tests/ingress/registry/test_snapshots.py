"""A registry on the real control topic, under its digest."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from tachograph.ingress.errors import RegistryAway
from tachograph.ingress.registry import snapshots
from tachograph.ingress.registry.reading import READING, put, to_ends
from tachograph.ingress.registry.snapshots import Snapshots
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import RELEASE, ControlBook, ControlKey, Release
from tachograph.schemas.errors import RecordError
from tachograph.schemas.registry import Registry
from tachograph.schemas.topics import Topics

KEY = ControlKey(b"k" * 32)
SECONDS = 30.0


def read(settings: dict[str, str], topics: Topics) -> ControlBook:
    book = ControlBook(KEY)
    consumer = Consumer({**settings, **READING, "group.id": topics.control})
    try:
        for message in to_ends(consumer, topics, seconds=SECONDS):
            with contextlib.suppress(RecordError):
                put(book, message, topics)
    finally:
        consumer.close()
    return book


def test_what_was_written_is_there_until_it_is_old(
    registry_topics: Topics, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed, on the topic when `write` returns. The oldest go, but nothing that was released."""
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", SECONDS)
    monkeypatch.setattr(snapshots, "MAX_FILE_SNAPSHOTS", 2)
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    written = [Registry(contact=f"c{number}") for number in range(4)]
    ours, going = Snapshots(settings, registry_topics, KEY), lambda: False
    for registry in (*written, written[1]):
        ours.write(registry.canonical(), stopping=going)
    release = Release(version=1, digest=written[0].digest, at="2026-01-01T00:00:00.000000000Z", by="x")
    producer = Producer(settings)
    producer.produce(registry_topics.releases, value=KEY.seal(RELEASE, release.encode()))
    producer.produce(registry_topics.control, key=sha256_hex(b"x"), value=b"forged")
    assert producer.flush(SECONDS) == 0
    ours.prune(stopping=going)
    ours.prune(stopping=going)
    book = read(settings, registry_topics)
    assert [book.snapshot(one.digest) == one.canonical() for one in written] == [True, True, False, True]


def test_what_kafka_does_not_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound, and at once where the worker stops."""
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", 0.3)
    nowhere = Snapshots({"bootstrap.servers": "127.0.0.1:1"}, Topics("t"), KEY)
    with pytest.raises(RegistryAway, match=r"t\.control: Kafka answers"):
        nowhere.write(b"{}", stopping=lambda: False)
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", 600.0)
    with pytest.raises(RegistryAway):
        nowhere.write(b"{}", stopping=lambda: True)


def test_what_cannot_be_read_is_not_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said why."""
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", 0.3)
    with pytest.raises(RegistryAway, match="Kafka answers"):
        Snapshots({"bootstrap.servers": "127.0.0.1:1"}, Topics("t"), KEY).prune(stopping=lambda: False)
