"""How far each part has come: on a real Kafka, and where none answers."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.live import positions as module
from tachograph.forensics.live.positions import Groups, Positions
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

GROUPS = ("masking", "sealing", "sink")


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound, as a part that is down."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.2)
    with pytest.raises(LogUnreachable):
        Positions({"bootstrap.servers": "127.0.0.1:1"}, Topics("none"), Groups(*GROUPS)).take()


@pytest.mark.engines
def test_positions_are_those_of_the_groups(stack: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is counted; the oldest of it says up to when everything is masked and sealed."""
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0)
    topics, client = Topics(f"marks-{uuid.uuid4().hex[:12]}"), {"bootstrap.servers": stack.bootstrap_servers}
    names = [f"{topics.prefix}.{name}" for name in GROUPS]
    kept = {"retention.ms": "-1"}  # the records are of 1970: the broker's next look would take them away
    TopicAdmin(client).create(TopicSpec(topics.raw, 1, kept), TopicSpec(topics.masked, 1))
    producer, admin = Producer(client), AdminClient(client)
    try:
        for second in range(3):
            producer.produce(topics.raw, b"raw", partition=0, timestamp=1_000_000 + 1_000 * second)
            producer.produce(topics.masked, b"masked", partition=0)
        assert producer.flush(60) == 0
        asked = Positions(client, topics, Groups(*names), clock=lambda: 5_000.0)
        none = asked.take()
        assert (none.unmasked, none.sealed_until, none.caught_up, none.stored) == (3, None, False, {})
        for name, topic, offset in (
            (names[0], topics.raw, 1),
            (names[1], topics.masked, 3),
            (names[2], topics.masked, 2),
        ):
            _commit(client, name, TopicPartition(topic, 0, offset))
        some = asked.take()
        assert (some.unmasked, some.sealed_until, some.caught_up) == (2, 1_001.0, True)
        assert (some.masked, some.stored) == ({0: 3}, {0: 2})
        _commit(client, names[0], TopicPartition(topics.raw, 0, 3))
        assert asked.take().sealed_until == 5_000.0
    finally:
        for done in admin.delete_topics([topics.raw, topics.masked]).values():
            done.result(60)


def _commit(client: dict[str, str], group: str, place: TopicPartition) -> None:
    consumer = Consumer(client | {"group.id": group})
    module._asked(lambda: consumer.commit(offsets=[place], asynchronous=False))
    consumer.close()
