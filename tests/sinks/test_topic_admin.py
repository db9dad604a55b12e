"""Topics with exactly the configuration that is stated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.errors import OperatorError, Unavailable
from tachograph.sinks.topic_admin import TopicAdmin, changes


@pytest.mark.parametrize(
    ("explicit", "expected"),
    [
        ({}, {"a": "1", "b": "2"}),
        ({"a": "1", "b": "2"}, {}),
        ({"a": "1", "b": "3"}, {"b": "2"}),
        ({"a": "1", "b": "2", "c": "9"}, {"c": None}),
        ({"c": None}, {"a": "1", "b": "2", "c": None}),
    ],
)
def test_changes_set_what_differs_and_reset_what_is_not_ours(
    explicit: dict[str, str | None], expected: dict[str, str | None]
) -> None:
    """The outcome is exactly what is wanted, key by key."""
    assert changes({"b": "2", "a": "1"}, explicit) == expected


def test_no_broker_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound of one question."""
    monkeypatch.setattr("tachograph.sinks.topic_admin._ASK_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="Kafka did not answer"):
        TopicAdmin({"bootstrap.servers": "127.0.0.1:1"}).existing()


def test_a_broker_that_is_busy_while_topics_are_made_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question that it did not answer in time says nothing about the topic."""
    monkeypatch.setattr("tachograph.sinks.topic_admin._ASK_SECONDS", 0.2)
    assert not TopicAdmin({"bootstrap.servers": "127.0.0.1:1"})._led(TopicSpec("t", 1))


@pytest.fixture
def topic(stack: Any) -> Iterator[tuple[TopicAdmin, str]]:
    """An admin and a name of its own."""
    client = {"bootstrap.servers": stack.bootstrap_servers}
    name = f"sink-{uuid.uuid4().hex[:8]}"
    yield TopicAdmin(client), name
    kafka = AdminClient(client)  # one that is dropped asks for nothing
    kafka.delete_topics([name])[name].exception(60)


@pytest.mark.engines
def test_a_topic_is_created_and_kept_as_stated(topic: tuple[TopicAdmin, str]) -> None:
    """Created with its configuration; later, a changed value and a foreign key are both put right."""
    admin, name = topic
    before = TopicSpec(name, 3, {"retention.ms": "60000", "segment.ms": "5000"})
    admin.create(before, copies=1)
    assert admin.existing()[name] == 3
    assert admin.align(before) == ()
    after = TopicSpec(name, 3, {"retention.ms": "90000", "cleanup.policy": "delete"})
    assert admin.align(after) == ("cleanup.policy=delete", "retention.ms=90000", "segment.ms reset")
    assert admin.align(after) == ()


@pytest.mark.engines
def test_a_created_topic_answers_at_once(stack: Any) -> None:
    """Every partition, asked once by a client that never asks again: its leader leads."""
    client = {"bootstrap.servers": stack.bootstrap_servers}
    admin, consumer = TopicAdmin(client), Consumer(client | {"group.id": uuid.uuid4().hex})
    kafka = AdminClient(client)
    names = [f"sink-{uuid.uuid4().hex[:8]}" for _ in range(4)]
    try:
        for name in names:
            admin.create(TopicSpec(name, 4), copies=1)
            ends = [consumer.get_watermark_offsets(TopicPartition(name, n), timeout=60) for n in range(4)]
            assert ends == [(0, 0)] * 4
    finally:
        consumer.close()
        for future in kafka.delete_topics(names).values():
            future.exception(60)


@pytest.mark.engines
def test_what_kafka_refuses_is_the_operators(topic: tuple[TopicAdmin, str]) -> None:
    """More copies than brokers: the text names the topic."""
    admin, name = topic
    with pytest.raises(OperatorError, match=name):
        admin.create(TopicSpec(name, 1), copies=5)
