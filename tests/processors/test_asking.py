"""What passes is asked again within a bound; what does not is told at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from tachograph.processors.asking import AGAIN_S, SETTLE_S, asked, partitions, passing, span
from tachograph.processors.errors import BrokerFault


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def refusing(code: int, *, times: float) -> tuple[Callable[[], str], list[int]]:
    """A question that so many times is answered with an error."""
    calls: list[int] = []

    def ask() -> str:
        calls.append(code)
        if len(calls) > times:
            return "answer"
        raise KafkaException(KafkaError(code))

    return ask, calls


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    ],
)
def test_an_error_that_passes_is_asked_again(code: int) -> None:
    """As often as it takes; librdkafka's own word for it covers transactions only."""
    ask, calls = refusing(code, times=3)
    clock = Clock()
    assert not KafkaError(code).retriable()
    assert passing(KafkaError(code))
    assert asked(ask, clock=clock, sleep=clock.sleep) == "answer"
    assert len(calls) == 4
    assert clock.now == pytest.approx(3 * AGAIN_S)


def test_asking_ends_with_its_bound() -> None:
    """The last error is told as it came."""
    ask, _ = refusing(KafkaError.NOT_LEADER_FOR_PARTITION, times=float("inf"))
    clock = Clock()
    with pytest.raises(KafkaException) as caught:
        asked(ask, clock=clock, sleep=clock.sleep)
    assert caught.value.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
    assert clock.now == pytest.approx(SETTLE_S, abs=2 * AGAIN_S)


@pytest.mark.parametrize(
    "code",
    [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN],
)
def test_what_does_not_pass_is_told_at_once(code: int) -> None:
    """Rights do not come by asking, and a broker that is away is somebody else's to wait for."""
    ask, calls = refusing(code, times=float("inf"))
    with pytest.raises(KafkaException):
        asked(ask)
    assert len(calls) == 1


@pytest.mark.engines
def test_a_topic_is_told_with_its_partitions(kafka: Any) -> None:
    """Each with its first and last offset; a topic that is not there says what to do, at once."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": uuid.uuid4().hex})
    try:
        found = partitions(consumer, kafka.topics.raw)
        assert [(place.topic, place.partition) for place in found] == [
            (kafka.topics.raw, n) for n in range(4)
        ]
        assert [span(consumer, place) for place in found] == [(0, 0)] * 4
        begun = time.monotonic()
        with pytest.raises(BrokerFault, match="tacho provision"):
            partitions(consumer, f"{kafka.topics.raw}-none")
        assert time.monotonic() - begun < SETTLE_S / 2
    finally:
        consumer.close()
