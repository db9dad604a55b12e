"""A registry on the real control topic, under its digest."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tachograph.ingress.errors import RegistryAway
from tachograph.ingress.registry import snapshots
from tachograph.ingress.registry.snapshots import Snapshots
from tachograph.schemas.control import ControlBook, ControlKey
from tachograph.schemas.registry import Registry

KEY = ControlKey(b"k" * 32)
SECONDS = 30.0


def test_what_was_written_is_there_for_whoever_masks(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed; and it is on the topic when `write` returns."""
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", SECONDS)
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    admin, topic = AdminClient(settings), f"snapshots-{secrets.token_hex(4)}"
    admin.create_topics([NewTopic(topic, 1, config={"cleanup.policy": "compact"})])[topic].result(SECONDS)
    registry, book = Registry(contact="somebody"), ControlBook(KEY)
    consumer = Consumer({**settings, "group.id": topic})
    try:
        Snapshots(settings, topic, KEY).write(registry.canonical(), stopping=lambda: False)
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(SECONDS)
        assert message is not None
        assert message.error() is None
        book.put((message.key() or b"").decode(), message.value())
        assert book.snapshot(registry.digest) == registry.canonical()
    finally:
        consumer.close()
        admin.delete_topics([topic])[topic].result(SECONDS)


def test_what_kafka_does_not_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound, and at once where the worker stops."""
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", 0.3)
    nowhere = Snapshots({"bootstrap.servers": "127.0.0.1:1"}, "control", KEY)
    with pytest.raises(RegistryAway, match="control: Kafka answers"):
        nowhere.write(b"{}", stopping=lambda: False)
    monkeypatch.setattr(snapshots, "WRITE_SECONDS", 600.0)
    with pytest.raises(RegistryAway):
        nowhere.write(b"{}", stopping=lambda: True)
