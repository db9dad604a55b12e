"""A deletion, killed at each of its points: with real engines, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from deletion_world import DeletionWorld, run, tale, talk
from deletions import DELETER
from world import ORIGIN, Doc, Log, said

from tachograph.cli.evidence import deleting
from tachograph.cli.evidence.deleting import POINTS, Deleter, Done, Plan
from tachograph.cli.evidence.deletion_run import about, logs, open_deleter
from tachograph.forensics.deletion.document import statement_document
from tachograph.forensics.deletion.plan import SealedLog, Target
from tachograph.forensics.deletion.reading import of_sessions
from tachograph.forensics.log_source import DeadLetter
from tachograph.schemas.deletion import ERASURE


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def killed_at(deletion: DeletionWorld, point: str, session: uuid.UUID, found: list[SealedLog]) -> None:
    """A run for one session that ends at this point."""

    def at(reached: str) -> None:
        if reached == point:
            raise Killed

    with open_deleter(deletion.told, 60) as opened:
        deleter = replace(opened, at=at)
        plan = deleter.plan(found, about(ERASURE, "test", None), lambda leaf: leaf.session == session)
        with pytest.raises(Killed):
            deleter.run(plan)


@pytest.mark.engines
def test_it_finishes_what_a_kill_at_any_point_left(
    deletion: DeletionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run for all finishes them: every record ERASED by a proven statement, every key and escrow gone."""
    monkeypatch.setattr(deleting, "BATCH", 2)
    sessions = {point: uuid.uuid4() for point in POINTS}
    stories = {point: tale(session, principal="killed") for point, session in sessions.items()}
    deletion.publish([doc for docs in stories.values() for doc in docs])
    found = logs(deletion.told, of_sessions(map(str, sessions.values())))
    for point, session in sessions.items():
        killed_at(deletion, point, session, found)
        assert deletion.escrowed(session) == (point not in {"shredded", "deleted"})
        left = len(deletion.there(stories[point]))
        assert left == (3 if point == "deleted" else 5), point
        assert deletion.keys(session) == ([True, False] if point in {"shredded", "deleted"} else [True])
    finished = run("erase", "killed", "--yes", "--json", "--config", deletion.file)
    done = json.loads(finished.stdout)
    assert (finished.exit_code, done["sessions"]) == (0, sorted(map(str, sessions.values())))
    assert done["documents"] == 5 * 5 + 3
    for point, session in sessions.items():
        assert deletion.there(stories[point]) == set()
        assert deletion.keys(session) == [True, False]
        assert deletion.escrowed(session) == 0
    for session in (sessions["published"], sessions["deleted"]):
        report = deletion.verdict(session)
        assert (report["verdict"], report["exit_code"]) == ("reduced", 4), report
        assert (report["states"]["ERASED"], report["states"]["MISSING"]) == (5, 0)


def test_days_are_added_up() -> None:
    """Numbers and lists alike."""
    total = Done(records=1, indices=["a"], altered=["u"])
    total.add(Done(records=2, keys=3, indices=["b"], altered=["v"]))
    assert total == Done(records=3, keys=3, indices=["a", "b"], altered=["u", "v"])


@dataclass
class Held:
    """A store in memory, the ledger's side of a run, and the dead letters."""

    documents: dict[str, bytes]
    letters: list[DeadLetter] = field(default_factory=list)
    shredded: list[set[uuid.UUID]] = field(default_factory=list)

    def stored(self, targets: Sequence[Target]) -> dict[str, bytes]:
        return {item.uid: self.documents[item.uid] for item in targets if item.uid in self.documents}

    def delete(self, targets: Sequence[Target]) -> int:
        return sum(self.documents.pop(item.uid, None) is not None for item in targets)

    def refresh(self) -> None: ...

    def expunge(self, _: Sequence[Target]) -> None: ...

    def keys_of(self, sessions: set[uuid.UUID]) -> list[bytes]:
        self.shredded.append(sessions)
        return []

    def shred(self, _: list[bytes]) -> None: ...

    def release(self, _: set[uuid.UUID]) -> None: ...

    def dead(self, uids: Collection[str]) -> Iterator[DeadLetter]:
        return (letter for letter in self.letters if letter.uid in uids)


def planned(held: Held, docs: list[Doc]) -> tuple[Deleter, Plan]:
    """The plan to erase all of one log, whose leaves are made of these documents."""
    log = SealedLog(ORIGIN, 0, len(docs), tuple(Log(docs).leaves))
    deleter = Deleter(held, held, DELETER, lambda _: None, 1.0, letters=held.dead)  # type: ignore[arg-type]  # it is all that is asked
    return deleter, deleter.plan([log], about(ERASURE, "test", None), lambda _: True)


def named(plan: Plan) -> set[str]:
    return {str(entry[3]) for item in plan.drafts for entry in item.statement.records}


def test_only_what_is_as_it_was_sealed_is_named() -> None:
    """What was altered goes and is not stated, what is gone was gone before: neither is lawful."""
    docs = talk(session := uuid.uuid4())
    opening, request, spoken, _ = docs
    held = Held({doc.uid: doc.value for doc in docs})
    held.documents[request.uid] = request.edited(
        lambda value: value["unmapped"]["tacho"].pop("conversation")
    ).value
    del held.documents[spoken.uid]
    deleter, plan = planned(held, docs)
    assert named(plan) == {docs[0].uid, docs[3].uid}
    assert plan.drafts[0].statement.names == ()
    assert ([item.uid for item in plan.altered], plan.missing) == ([request.uid], 1)
    done = deleter.run(replace(plan, drafts=()))  # as if it could state nothing
    assert (done.documents, done.altered, held.shredded) == (1, [request.uid], [{session}])
    assert held.documents.keys() == {opening.uid, docs[3].uid}


def test_what_a_whole_record_names_is_stated_though_that_is_gone() -> None:
    """So whoever deleted the message, and not its request, does not hide it."""
    docs = talk(uuid.uuid4())
    held = Held({doc.uid: doc.value for doc in docs if doc is not docs[2]})
    _, plan = planned(held, docs)
    assert [str(name) for name in plan.drafts[0].statement.names or ()] == [docs[2].uid]


def test_what_opensearch_refused_is_named_by_its_letter() -> None:
    """A stub without one is an altered document."""
    docs = talk(uuid.uuid4())
    tacho = {"type": "request", "session": said(docs[1])["session"], "stub": {"reason": "too-deep"}}
    held = Held({doc.uid: doc.value for doc in docs} | {docs[1].uid: json.dumps(
        {"unmapped": {"tacho": tacho}}, separators=(",", ":")).encode()})  # fmt: skip
    assert [item.uid for item in planned(held, docs)[1].altered] == [docs[1].uid]
    held.letters.append(DeadLetter(docs[1].uid, docs[1].value, None, {}))
    _, plan = planned(held, docs)
    assert (named(plan), plan.altered) == ({doc.uid for doc in docs}, ())


def test_what_is_stated_already_goes_whatever_became_of_it() -> None:
    """It was whole when it was stated: a run that was killed, or a sink, left it."""
    docs = talk(uuid.uuid4())
    held = Held({doc.uid: doc.value for doc in docs})
    made = statement_document(planned(held, docs)[1].drafts[0].statement, DELETER)
    sealed = [*docs, Doc(made.value, str(made.uid), made.session, made.type), docs[1]]  # and one came again
    held.documents |= {str(made.uid): made.value, docs[1].uid: b"{}"}
    del held.documents[docs[2].uid]
    _, plan = planned(held, sealed)
    assert (plan.drafts, plan.altered, plan.missing) == ((), (), 0)
    assert docs[1].uid in plan.present
