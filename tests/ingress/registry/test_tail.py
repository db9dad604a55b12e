"""The control topic, read from the real Kafka."""

from __future__ import annotations

import queue
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tachograph.ingress.registry.tail import Tail
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import CURRENT, ControlBook, ControlKey, Release
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

KEY = ControlKey(b"k" * 32)
SECONDS = 60.0


def release(version: int, data: bytes) -> Release:
    return Release(version=version, digest=sha256_hex(data), at="2026-01-01T00:00:00.000000000Z", by="x")


@pytest.fixture
def topic(stack: Any) -> Iterator[str]:
    admin, name = AdminClient({"bootstrap.servers": stack.bootstrap_servers}), f"tail-{secrets.token_hex(4)}"
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(
        TopicSpec(name, 1, {"cleanup.policy": "compact"})
    )
    yield name
    admin.delete_topics([name])[name].result(SECONDS)


def test_what_is_released_is_told_once_and_nothing_else(stack: Any, topic: str) -> None:
    """What was there at the start, then each release; not what is forged, older, or has no snapshot."""
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    producer = Producer(settings)

    def put(key: str, value: bytes) -> None:
        producer.produce(topic, key=key, value=value)
        assert producer.flush(SECONDS) == 0

    def release_of(version: int, data: bytes, *, key: ControlKey = KEY) -> None:
        put(sha256_hex(data), key.seal(sha256_hex(data), data))
        put(CURRENT, key.seal(CURRENT, release(version, data).encode()))

    release_of(1, b"one")
    release_of(2, b"two")
    told: queue.Queue[tuple[Release, bytes]] = queue.Queue()
    tail = Tail(lambda *what: told.put(what), ControlBook(KEY), topic=topic, settings=settings)
    tail.start()
    try:
        assert told.get(timeout=SECONDS) == (release(2, b"two"), b"two")
        assert tail.caught_up.wait(SECONDS)
        release_of(9, b"forged", key=ControlKey(b"x" * 32))
        release_of(1, b"one")
        put(CURRENT, KEY.seal(CURRENT, release(3, b"three").encode()))
        put(sha256_hex(b"three"), KEY.seal(sha256_hex(b"three"), b"three"))
        assert told.get(timeout=SECONDS) == (release(3, b"three"), b"three")
        assert told.empty()
        assert tail.ignored == 3
        assert tail.problem == ""
    finally:
        tail.stop()
