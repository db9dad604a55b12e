"""The documents' side of a deletion, against real engines and against a cluster that refuses."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from deletion_world import DeletionWorld, tale
from world import DAY

from tachograph.cli.errors import PartDown, Refused
from tachograph.cli.evidence import store as module
from tachograph.cli.evidence.store import Store
from tachograph.forensics.deletion.plan import Target
from tachograph.sinks.errors import CallRefused, Unavailable


class Cluster:
    """Answers every call in the same way."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer, self.calls = answer, 0
        self.bodies: list[bytes | None] = []

    def call(self, _method: str, _path: str, body: bytes | None = None, **_: Any) -> bytes:
        self.calls += 1
        self.bodies.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def store(answer: bytes | Exception) -> tuple[Store, Cluster]:
    cluster = Cluster(answer)
    return Store(cluster, prefix="p", sleep=lambda _: None), cluster  # type: ignore[arg-type]  # it is all that is asked


TARGET = Target(str(uuid.UUID(int=1)), "request", DAY)


def test_what_it_may_not_do_is_said() -> None:
    """Refused as a whole, or document by document."""
    for answer in (CallRefused(403, "security_exception"), b'{"items":[{"delete":{"status":403}}]}'):
        with pytest.raises(Refused):
            store(answer)[0].delete([TARGET])


def test_a_cluster_that_is_away_is_asked_again_within_a_bound() -> None:
    """Then it is a part that is down; so is one that takes every call and deletes nothing."""
    for answer in (Unavailable("away"), b'{"items":[{"delete":{"status":503}}]}'):
        made, cluster = store(answer)
        with pytest.raises(PartDown):
            made.delete([TARGET])
        assert cluster.calls == module.TRIES


@pytest.mark.engines
def test_documents_are_found_and_deleted_once(deletion: DeletionWorld) -> None:
    """What is gone already counts as done; an index that is not there holds nothing."""
    one, two = uuid.uuid4(), uuid.uuid4()
    docs = tale(one, principal=f"store-{one}")
    deletion.publish([*docs, *tale(two, principal=f"store-{one}")])
    deletion.store.refresh()
    assert deletion.store.sessions_of(f"store-{one}") == sorted([str(one), str(two)])
    assert deletion.store.has_session(str(one))
    assert deletion.store.open_since(str(one)) is None
    assert deletion.store.still_in([str(one)], since=0) == {str(one)}
    assert deletion.store.still_in([str(one)], since=2**42) == set()
    query = {"term": {"unmapped.tacho.session": str(one)}}
    assert set(deletion.store.ids(deletion.store.everything, query)) == {doc.uid for doc in docs}
    assert list(deletion.store.ids(f"{deletion.prefix}-events-2000.01.01")) == []
    targets = [Target(doc.uid, doc.type, DAY) for doc in docs]
    assert deletion.store.stored(targets[:1]) == {docs[0].uid: docs[0].value}
    assert [deletion.store.delete(targets) for _ in range(2)] == [5, 0]
    assert deletion.store.delete([Target(docs[0].uid, "request", "2000.01.01")]) == 0
