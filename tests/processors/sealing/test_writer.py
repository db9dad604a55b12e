"""One writer, exactly once: on a real Kafka a log goes on where its last transaction ended."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, TopicPartition

from tachograph.cli.stack.engines import Endpoints
from tachograph.processors.errors import BrokerFault, OperatorError
from tachograph.processors.sealing.log import LogState, Taken, grown
from tachograph.processors.sealing.writer import PartitionLog
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

SECONDS = 60.0


@dataclass
class Desk:
    """Topics of the test's own, and a consumer whose position goes with each transaction."""

    client: dict[str, str]
    topics: Topics
    consumer: Consumer

    def log(self) -> PartitionLog:
        return PartitionLog(self.client, self.topics, 0)

    def state(self) -> LogState:
        """As the next writer finds it: a reader may see a moment later what is committed."""
        return self.log().open()


def make_topics(bootstrap: str, topics: Topics, *, partitions: int = 1) -> None:
    """The three topics that sealing touches."""
    sizes = {topics.masked: partitions, topics.leaves: partitions, topics.checkpoints: 1}
    admin = TopicAdmin({"bootstrap.servers": bootstrap})
    admin.create(*(TopicSpec(name, size) for name, size in sizes.items()))


@pytest.fixture
def desk(stack: Endpoints) -> Iterator[Desk]:
    topics = Topics(f"seal-{uuid.uuid4().hex[:12]}")
    make_topics(stack.bootstrap_servers, topics)
    client = {"bootstrap.servers": stack.bootstrap_servers}
    consumer = Consumer(client | {"group.id": f"{topics.prefix}.sealing", "enable.auto.commit": "false"})
    consumer.assign([TopicPartition(topics.masked, 0)])
    yield Desk(client, topics, consumer)
    consumer.close()


def _records(first: int, count: int) -> list[Taken]:
    return [
        Taken(number, b"value %d" % number, uuid.UUID(int=number), None, "request", None)
        for number in range(first, first + count)
    ]


def test_a_log_goes_on_where_it_was_committed(desk: Desk) -> None:
    """Another writer finds frontier and position of the last transaction, and the group's position moved."""
    writer = desk.log()
    state = writer.open()
    assert state == LogState()
    for first, count in ((0, 3), (3, 1), (4, 5)):
        state, leaves = grown(state, _records(first, count))
        writer.commit(leaves, state, note=None, consumer=desk.consumer)
    found = desk.state()
    assert (found, found.next_offset, found.frontier.size) == (state, 9, 9)
    committed = desk.consumer.committed([TopicPartition(desk.topics.masked, 0)], SECONDS)
    assert committed[0].offset == 9
    writer.close()


def test_a_checkpoint_alone_moves_nothing(desk: Desk) -> None:
    """An idle log is signed without a leaf, and still found where it was."""
    writer = desk.log()
    state, leaves = grown(writer.open(), _records(0, 2))
    writer.commit(leaves, state, note=None, consumer=desk.consumer)
    writer.commit((), state, note="a note\n", consumer=desk.consumer)
    assert desk.state() == state
    writer.close()


def test_a_writer_that_was_replaced_commits_nothing(desk: Desk) -> None:
    """Who was thought dead can no longer fork the log."""
    old = desk.log()
    state, leaves = grown(old.open(), _records(0, 2))
    old.commit(leaves, state, note=None, consumer=desk.consumer)
    new = desk.log()
    assert new.open() == state
    zombie, fork = grown(state, [Taken(2, b"another value", None, None, "request", None)])
    with pytest.raises(BrokerFault):
        old.commit(fork, zombie, note="a lie\n", consumer=desk.consumer)
    state, leaves = grown(state, _records(2, 1))
    new.commit(leaves, state, note=None, consumer=desk.consumer)
    assert desk.state() == state
    old.close()
    new.close()


def test_what_was_begun_and_not_committed_was_never_there(desk: Desk) -> None:
    """Leaves of an aborted transaction are not seen, and do not hide the ones before them."""
    writer = desk.log()
    state, leaves = grown(writer.open(), _records(0, 2))
    writer.commit(leaves, state, note=None, consumer=desk.consumer)
    producer = writer._producer
    for number in range(100):
        producer.begin_transaction()
        producer.produce(desk.topics.leaves, b"never %d" % number, partition=0)
        producer.flush(SECONDS)
        producer.abort_transaction(SECONDS)
    producer.begin_transaction()
    producer.produce(desk.topics.leaves, b"never", partition=0)
    producer.flush(SECONDS)
    assert desk.state() == state
    writer.close()


def test_a_leaf_that_says_nothing_stops_the_log(desk: Desk) -> None:
    """Nobody goes on from a leaf that another program wrote."""
    writer = desk.log()
    writer.open()
    producer = writer._producer
    producer.begin_transaction()
    producer.produce(desk.topics.leaves, b"{}", partition=0)
    producer.commit_transaction(SECONDS)
    with pytest.raises(OperatorError, match="no log can go on"):
        desk.state()
    writer.close()
