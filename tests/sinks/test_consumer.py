"""The masked topic's reader."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.sinks.consumer import Source, settings
from tachograph.sinks.errors import NotProvisioned, Unavailable
from tachograph.sinks.record import Message

SECONDS = 120.0
Make = Callable[..., Message]


def source(world: Any, dropped: list[set[tuple[str, int]]] | None = None) -> Source:
    told = [] if dropped is None else dropped
    return Source(settings(world.kafka, group=world.group), world.topics.masked, dropped=told.append)


def read(source: Source, count: int) -> list[Message]:
    """Exactly so many messages, within the bound."""
    found: list[Message] = []
    end = time.monotonic() + SECONDS
    while len(found) < count:
        assert time.monotonic() < end
        found += source.read(0.1)
    assert len(found) == count
    return found


def test_our_promises_outrank_the_operators_settings() -> None:
    """Nobody turns auto-commit on from a configuration file."""
    made = settings(
        {"enable.auto.commit": "true", "security.protocol": "SSL", "group.id": "other"}, group="g"
    )
    assert made["enable.auto.commit"] is False
    assert (made["group.id"], made["security.protocol"]) == ("g", "SSL")
    assert made["auto.offset.reset"] == "earliest"


def test_no_broker_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound of one question."""
    monkeypatch.setattr("tachograph.sinks.consumer.ASK_SECONDS", 0.2)
    lonely = Source(settings({"bootstrap.servers": "127.0.0.1:1"}, group="g"), "t", dropped=lambda _: None)
    with pytest.raises(Unavailable):
        lonely.check()
    lonely.close()


@pytest.mark.engines
def test_a_missing_topic_says_what_to_do(world: Any) -> None:
    """Nothing is created on the way."""
    lost = Source(settings(world.kafka, group=world.group), f"{world.prefix}.nowhere", dropped=lambda _: None)
    with pytest.raises(NotProvisioned, match="tacho provision"):
        lost.check()
    lost.close()


@pytest.mark.engines
def test_only_what_is_acknowledged_is_committed(world: Any, message: Make) -> None:
    """The next member of the group begins with the first record that was not acknowledged."""
    world.put([message(offset=n, key=b"one") for n in range(6)])
    first = source(world)
    first.check()
    first.subscribe()
    messages = read(first, 6)
    first.acknowledge([messages[0], messages[1], messages[4]])
    assert first.unacknowledged == 4
    first.close()
    assert world.committed() == 2
    second = source(world)
    second.subscribe()
    assert [one.offset for one in read(second, 4)] == [2, 3, 4, 5]
    second.close()


@pytest.mark.engines
def test_a_held_source_reads_nothing_and_stays(world: Any, message: Make) -> None:
    """Paused partitions come back with what they had; key, value and headers as they were sent."""
    held = source(world)
    held.subscribe()
    world.put([message(key=b"one")])
    read(held, 1)
    held.hold()
    sent = message(b'{"\xc3\xa9":1}', key=b"one")
    world.put([sent])
    assert held.read(0.5) == []
    held.release()
    (found,) = read(held, 1)
    assert (found.key, found.value, found.headers) == (b"one", sent.value, sent.headers)
    assert found.timestamp_ms > 1_700_000_000_000
    assert held.lag() == {0: 0, 1: 0} or list(held.lag().values()) == [0]
    held.close()


@pytest.mark.engines
def test_a_rebalance_takes_the_uncommitted_along(world: Any, message: Make) -> None:
    """What is revoked is dropped here and read by the new owner; together they read everything."""
    dropped: list[set[tuple[str, int]]] = []
    world.put([message(key=str(n).encode()) for n in range(40)])
    first = source(world, dropped)
    first.subscribe()
    read(first, 40)
    second = source(world)
    second.subscribe()
    taken: list[Message] = []
    end = time.monotonic() + SECONDS
    while not (taken and dropped):
        assert time.monotonic() < end
        first.read(0.1)
        taken += second.read(0.1)
    partitions = {one.origin for one in taken}
    assert partitions == dropped[0]
    assert len(partitions) == 1
    first.close()
    second.close()


@pytest.mark.engines
def test_records_that_retention_took_away_are_noticed(world: Any, message: Make) -> None:
    """A loss is never silent: the gap is counted."""
    from confluent_kafka import TopicPartition

    world.put([message(key=b"one") for _ in range(10)])
    first = source(world)
    first.subscribe()
    messages = read(first, 10)
    first.acknowledge(messages[:3])
    first.close()
    place = TopicPartition(world.topics.masked, messages[0].partition, 7)
    world.admin.delete_records([place])[place].result(SECONDS)
    second = source(world)
    second.subscribe()
    assert [one.offset for one in read(second, 3)] == [7, 8, 9]
    assert second.skipped == 4
    second.close()
