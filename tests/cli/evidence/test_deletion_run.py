"""How a run is told; tests of the commands run whole ones."""

import json
import uuid

import pytest

from tachograph.cli.errors import Interrupted
from tachograph.cli.evidence.deleting import Done, Plan
from tachograph.cli.evidence.deletion_run import about, exit_code, planned, tell, to_be_run_again
from tachograph.forensics.deletion.plan import Draft, Target
from tachograph.schemas.deletion import ERASURE, Statement


def test_a_plan_says_what_a_run_would_come_to() -> None:
    """Records by the drafts, documents by what is there."""
    said = about(ERASURE, "rule", "reason")
    statement = Statement(
        type=said.type, at=said.at, by=said.by, rule=said.rule, reason=said.reason, session=uuid.UUID(int=1),
        log="log/0", records=((1, "2026.01.01", "request", uuid.UUID(int=2)),),
    )  # fmt: skip
    altered = (Target("c", "request", "2026.01.01"),)
    plan = Plan((Draft(statement, 0),), present=frozenset({"a", "b"}), altered=altered, missing=3, unsealed=4)
    told = Done(statements=1, records=1, documents=3, altered=["c"], missing=3, unsealed=4)
    assert planned(plan) == told


@pytest.mark.parametrize(
    ("dry_run", "said"), [(True, "nothing was changed"), (False, "goes on where it stood")]
)
def test_an_interruption_says_how_to_go_on(*, dry_run: bool, said: str) -> None:
    """Whatever was reached, the same command finishes it; a dry run had nothing to finish."""
    with pytest.raises(Interrupted, match=said), to_be_run_again(dry_run=dry_run):
        raise KeyboardInterrupt


def test_programs_and_people_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON on standard output, what stays on the other."""
    tell(Done(records=1, keys=1, missing=2, unsealed=3), sessions=["s"], dry_run=False, json_output=True)
    said = capsys.readouterr()
    assert json.loads(said.out)["sessions"] == ["s"]
    assert "stay MISSING" in said.err
    assert "3 documents have no leaf" in said.err
    tell(Done(altered=["u"] * 21), sessions=["s"], dry_run=False, json_output=False)
    said = capsys.readouterr()
    assert said.err.count("its document was altered") == 20
    assert "21 documents were altered" in said.err


def test_the_exit_code_is_that_of_the_gravest() -> None:
    """Of what an audit would find: altered, then missing; what has no leaf yet is only to be run again."""
    done = [Done(), Done(unsealed=2), Done(missing=1, unsealed=2), Done(altered=["u"], missing=1)]
    assert list(map(exit_code, done)) == [0, 1, 53, 31]
