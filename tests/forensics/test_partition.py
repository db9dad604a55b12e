"""One partition, read to its end: from a real Kafka, and where none answers."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics import partition as module
from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.partition import WHOLE, messages_of
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound, not waited for."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.2)
    consumer = Consumer(WHOLE | {"bootstrap.servers": "127.0.0.1:1", "group.id": "x"})
    with pytest.raises(LogUnreachable, match=r"none\[0\]"):
        list(messages_of(consumer, "none", 0))
    consumer.close()


@pytest.mark.engines
def test_all_of_one_partition_and_nothing_of_another(stack: Endpoints) -> None:
    """In order, from the beginning each time; an empty one ends at once."""
    topic, client = f"partition-{uuid.uuid4().hex[:12]}", {"bootstrap.servers": stack.bootstrap_servers}
    TopicAdmin(client).create(TopicSpec(topic, 2))
    producer, admin = Producer(client), AdminClient(client)
    consumer = Consumer(client | WHOLE | {"group.id": topic})
    try:
        for number in range(50):
            producer.produce(topic, str(number).encode(), partition=1)
        assert producer.flush(60) == 0
        for _ in range(2):
            assert [message.value() for message in messages_of(consumer, topic, 1)] == [
                str(number).encode() for number in range(50)
            ]
            assert list(messages_of(consumer, topic, 0)) == []
    finally:
        consumer.close()
        admin.delete_topics([topic])[topic].result(60)
