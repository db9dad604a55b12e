"""One log held against its checkpoints; tests/cli/evidence/test_live.py has it within a whole audit."""

from __future__ import annotations

from typing import Any

import pytest
from world import LOG, ORIGIN, Log, policy, story

from tachograph.forensics.live.log import LogCheck
from tachograph.forensics.published import Published
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.report import Findings
from tachograph.schemas.checkpoint import Checkpoint

PAPER = Log(
    story(), cuts=(3, 3, 7), times=("2026-11-23T06:01:00Z", "2026-11-23T06:02:00Z", "2026-11-23T06:03:00Z")
)


def checked(notes: list[str], **seen: Any) -> tuple[LogCheck, list[str]]:
    findings = Findings()
    known = policy(logs=[{"key": str(LOG.key)} | ({"seen": seen} if seen else {})])
    published = [Published(note, Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")) for note in notes]
    check = LogCheck(ORIGIN, published, TrustPolicy.model_validate(known).logs, findings)
    for leaf in PAPER.leaves:
        check.take(leaf.canonical())
    check.finish()
    return check, [item.verdict.word for item in findings.shown]


def test_a_log_that_grew_as_its_checkpoints_say() -> None:
    """Also where two are of one size; a time leads to the last checkpoint before it."""
    check, found = checked(PAPER.notes())
    assert (found, check.covered, check.next, check.offset, check.gone) == ([], 7, 7, 17, 0)
    seconds = 1_795_413_600
    assert [check.since(seconds + more) for more in (0, 60, 150, 1_000)] == [0, 3, 3, 7]


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ({"size": 5, "root": PAPER.tree.root(5).hex()}, []),
        ({"size": 5, "root": "0" * 64}, ["log-fork"]),
        ({"size": 8, "root": "0" * 64}, ["log-rollback"]),
    ],
)
def test_what_the_policy_remembers_is_compared(seen: dict[str, Any], verdict: list[str]) -> None:
    """At any size, as all leaves are there."""
    assert checked(PAPER.notes(), **seen)[1] == verdict


def test_times_that_run_backwards_are_named() -> None:
    """Even where sizes agree."""
    notes = PAPER.notes()
    assert checked([notes[1], notes[0], notes[2]])[1] == ["checkpoint-backdated"]


def test_without_a_checkpoint_nothing_is_covered() -> None:
    """That is no finding: it is unaudited."""
    check, found = checked([])
    assert (found, check.covered, check.last) == ([], 0, None)
