"""A deletion, killed at each of its points: with real engines, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from deletion_world import DeletionWorld, run, tale

from tachograph.cli.evidence import deleting
from tachograph.cli.evidence.deleting import POINTS, Done
from tachograph.cli.evidence.deletion_run import about, logs, open_deleter
from tachograph.forensics.deletion.plan import SealedLog
from tachograph.forensics.deletion.reading import of_sessions
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
    total = Done(records=1, indices=["a"])
    total.add(Done(records=2, keys=3, indices=["b"]))
    assert total == Done(records=3, keys=3, indices=["a", "b"])
