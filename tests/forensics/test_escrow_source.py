"""The escrow from Kafka: against one that is away, and what it finds on a real one."""

from __future__ import annotations

import random
import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics import escrow_source as module
from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.escrow_source import EscrowSource
from tachograph.schemas.escrow import EscrowRecord, Taken, seal_taken
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

ONE, OTHER = (X25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key() for number in (1, 2))


def sealed(session: uuid.UUID, uid: uuid.UUID) -> EscrowRecord:
    taken = Taken(str(session), str(uid), b"k", (b"a", b"b"))
    (record,) = seal_taken(taken, (ONE, OTHER), random.Random(1).randbytes)
    return record


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.2)
    source = EscrowSource({"bootstrap.servers": "127.0.0.1:1"}, "none")
    with pytest.raises(LogUnreachable) as error:
        source.record(str(uuid.uuid4()), 0)
    source.close()
    assert error.value.exit_code == 3


@pytest.mark.engines
def test_the_newest_record_is_found_until_its_tombstone(stack: Endpoints) -> None:
    """By document and value; what others wrote there is passed over; a topic never made holds nothing."""
    client, topic = {"bootstrap.servers": stack.bootstrap_servers}, f"escrow-{uuid.uuid4().hex[:12]}"
    source, admin = EscrowSource(client, topic), AdminClient(client)
    session, uid = uuid.uuid4(), uuid.uuid4()
    assert source.names_of([session]) == []
    TopicAdmin(client).create(TopicSpec(topic, 2))
    producer = Producer(client)
    try:
        first, second = sealed(session, uid), sealed(session, uid)
        other = sealed(uuid.uuid4(), uuid.uuid4())
        for key, value in (
            (first.name, first.encode()),
            (second.name, second.encode()),
            (other.name, other.encode()),
            (other.name + b"9", b"no record"),
        ):
            producer.produce(topic, value, key)
        assert producer.flush(60) == 0
        assert source.record(str(uid), 1) == second
        assert source.record(str(uid), 2) is None
        ((partition, name),) = source.names_of([session])
        producer.produce(topic, None, name, partition=partition)
        assert producer.flush(60) == 0
        assert (source.record(str(uid), 1), source.names_of([session])) == (None, [])
        assert source.record(other.uid, 0) == other
    finally:
        source.close()
        admin.delete_topics([topic])[topic].result(60)
