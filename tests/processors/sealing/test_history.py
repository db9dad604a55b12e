"""Proofs of growth read back from the leaves topic of a real Kafka."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.stack.engines import Endpoints
from tachograph.processors.errors import AnchorFault, BrokerFault
from tachograph.processors.sealing import history
from tachograph.processors.sealing.history import History, last_before
from tachograph.processors.sealing.writer import FRONTIER
from tachograph.schemas.leaf import Leaf, pack_frontier
from tachograph.schemas.merkle import Frontier, Tree, leaf_hash
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

SIZES = (3, 4, 40, 41, 700)
TREE = Tree(leaf_hash(b"%d" % number) for number in range(SIZES[-1]))
HASHES = [leaf_hash(b"%d" % number) for number in range(SIZES[-1])]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=300), st.data())
def test_a_place_before_the_leaf_is_found(gaps: list[int], data: st.DataObject) -> None:
    """Never behind the leaf, and at most `SCAN` messages before it; leaves lie at any distances."""
    offsets = [sum(gaps[: number + 1]) - 1 for number in range(len(gaps))]
    wanted = data.draw(st.integers(0, len(gaps) - 1))

    def index_at(offset: int) -> int | None:
        return next((number for number, at in enumerate(offsets) if at >= offset), None)

    place = last_before(wanted, low=wanted, high=offsets[-1] + 2, index_at=index_at)
    assert place <= offsets[wanted]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "SCAN", 4)
        near = last_before(wanted, low=wanted, high=offsets[-1] + 2, index_at=index_at)
    assert near <= offsets[wanted] <= near + 4 + max(gaps)


@pytest.fixture
def sealed(stack: Endpoints) -> Iterator[History]:
    """A log of 700 leaves whose checkpoints were at `SIZES`, in the form in which the writer leaves it."""
    topics, client = Topics(f"past-{uuid.uuid4().hex[:12]}"), {"bootstrap.servers": stack.bootstrap_servers}
    TopicAdmin(client).create(TopicSpec(topics.leaves, 1))
    producer, edge = Producer(client), Frontier()
    for index, digest in enumerate(HASHES):
        edge = edge.extended([digest])
        last = index + 1 in SIZES
        leaf = Leaf(index=index, offset=index, leaf=digest.hex(), type="request")
        headers: list[tuple[str, str | bytes | None]] = [(FRONTIER, pack_frontier(edge))] if last else []
        producer.produce(topics.leaves, leaf.canonical(), partition=0, headers=headers)
    assert producer.flush(60) == 0
    past = History(client, topics)
    yield past
    past.close()


@pytest.mark.engines
def test_growth_is_proven_from_any_size(sealed: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hashes as from the whole tree: from a checkpoint, searched for or remembered, and else too."""
    assert sealed.proof(0, 3, 40) == TREE.consistency(3, 40)
    assert sealed.proof(0, 40, 41) == TREE.consistency(40, 41)
    monkeypatch.setattr(history, "SCAN", 8)
    assert sealed.proof(0, 4, 700) == TREE.consistency(4, 700)
    assert sealed.proof(0, 0, 700) == sealed.proof(0, 700, 700) == ()
    assert sealed.proof(0, 39, 700) == TREE.consistency(39, 700)
    for old, new in ((41, 701), (39, 701), (701, 702)):
        with pytest.raises(AnchorFault):
            sealed.proof(0, old, new)


def test_a_kafka_that_is_away_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its time."""
    monkeypatch.setattr(history, "ASK_SECONDS", 0.2)
    past = History({"bootstrap.servers": "127.0.0.1:1"}, Topics("none"))
    with pytest.raises(BrokerFault):
        past.proof(0, 1, 2)
    past.close()
