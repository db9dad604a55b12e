"""The control topic, read from the real Kafka."""

from __future__ import annotations

import queue
from typing import Any

from confluent_kafka import Producer

from tachograph.ingress.registry.tail import Tail
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import RELEASE, ControlBook, ControlKey, Release
from tachograph.schemas.topics import Topics

KEY = ControlKey(b"k" * 32)
SECONDS = 60.0


def release(version: int, data: bytes) -> Release:
    return Release(version=version, digest=sha256_hex(data), at="2026-01-01T00:00:00.000000000Z", by="x")


def test_what_is_released_is_told_once_and_nothing_else(stack: Any, registry_topics: Topics) -> None:
    """What was there at the start, then each release; not what is forged, older, or has no snapshot."""
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    producer = Producer(settings)

    def snapshot(data: bytes, key: ControlKey = KEY) -> None:
        digest = sha256_hex(data)
        producer.produce(registry_topics.control, key=digest, value=key.seal(digest, data))
        assert producer.flush(SECONDS) == 0

    def named(version: int, data: bytes, key: ControlKey = KEY) -> None:
        value = key.seal(RELEASE, release(version, data).encode())
        producer.produce(registry_topics.releases, value=value)
        assert producer.flush(SECONDS) == 0

    def release_of(version: int, data: bytes, *, key: ControlKey = KEY) -> None:
        snapshot(data, key)
        named(version, data, key)

    release_of(1, b"one")
    release_of(2, b"two")
    told: queue.Queue[tuple[Release, bytes]] = queue.Queue()
    tail = Tail(lambda *what: told.put(what), ControlBook(KEY), topics=registry_topics, settings=settings)
    tail.start()
    try:
        assert told.get(timeout=SECONDS) == (release(2, b"two"), b"two")
        assert tail.caught_up.wait(SECONDS)
        release_of(9, b"forged", key=ControlKey(b"x" * 32))
        release_of(1, b"one")
        named(2, b"one")
        named(3, b"three")
        snapshot(b"three")
        assert told.get(timeout=SECONDS) == (release(3, b"three"), b"three")
        assert told.empty()
        assert tail.ignored == 3
        assert (tail.problem, tail.cut) == ("", False)
    finally:
        tail.stop()
