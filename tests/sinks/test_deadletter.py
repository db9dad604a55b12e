"""The dead letter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.sinks.deadletter import BURST, PER_SECOND, DeadLetterTopic, Rate, headers_for
from tachograph.sinks.errors import DeadLetterFlood, Stopping
from tachograph.sinks.record import Message

Make = Callable[..., Message]


def test_the_rate_is_a_burst_and_then_a_trickle() -> None:
    """After the burst, one more only as time goes by, and never more than the burst."""
    now = [0.0]
    rate = Rate(lambda: now[0])
    assert all(rate.take() for _ in range(BURST))
    assert not rate.take()
    now[0] = 1.01 / PER_SECOND
    assert rate.take()
    assert not rate.take()
    now[0] = 1e9
    assert sum(rate.take() for _ in range(BURST + 10)) == BURST


def test_headers_say_where_it_comes_from_and_why(message: Make) -> None:
    """Origin, reason and identity; the message's own headers under a prefix, so none is taken for ours."""
    found = headers_for(
        message(offset=7, headers=(("uid", b"u"), ("reason", b"forged"))), reason="equivocation", uid="u"
    )
    assert found == [
        ("reason", "equivocation"),
        ("origin-topic", "t.masked"),
        ("origin-partition", "0"),
        ("origin-offset", "7"),
        ("origin-timestamp", "1763596800000"),
        ("uid", "u"),
        ("origin-header-uid", b"u"),
        ("origin-header-reason", b"forged"),
    ]
    assert "uid" not in dict(headers_for(message(headers=()), reason="no-uid", uid=None))


def test_an_absent_broker_is_waited_for(message: Make) -> None:
    """It does not return before Kafka has it: here it never has, and only the end of the process ends it."""
    tries: list[float] = []

    def wait(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 2:
            raise Stopping

    client = {"bootstrap.servers": "127.0.0.1:1"}
    topic = DeadLetterTopic(client, "t.deadletter", clock=time.monotonic, wait=wait, delivery_ms=100)
    with pytest.raises(Stopping):
        topic.bury(message(), reason="too-deep", uid=None)


@pytest.mark.engines
def test_it_is_durable_when_it_returns_and_stops_a_flood(world: Any, message: Make) -> None:
    """From two threads; past the burst nothing more is written."""
    topic = DeadLetterTopic(world.kafka, world.topics.deadletter, clock=lambda: 0.0, wait=lambda _: None)
    halves = [
        threading.Thread(
            target=lambda: [topic.bury(message(b"v"), reason="r", uid="u") for _ in range(BURST // 2)]
        )
        for _ in range(2)
    ]
    for thread in halves:
        thread.start()
    for thread in halves:
        thread.join(60)
    with pytest.raises(DeadLetterFlood, match=world.topics.deadletter):
        topic.bury(message(b"v"), reason="r", uid="u")
    found = world.dead_letters()
    assert len(found) == BURST
    assert {value for value, _ in found} == {b"v"}
    assert found[0][1]["reason"] == "r"
