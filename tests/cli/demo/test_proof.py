"""What counts as proven; the whole proof on real engines stands in test_run."""

from tachograph.cli.demo.control import Control
from tachograph.cli.demo.decisions import Decisions
from tachograph.cli.demo.proof import Proof
from tachograph.cli.demo.verdict import Verdict

GOOD = Proof(
    Verdict(2, 5, 1, ()),
    {},
    {"the logs": 10},
    0,
    Control({"a", "b"}, ()),
    frozenset({"a", "b"}),
    Decisions(2, 1, 1, 0, ()),
)


def _with(**changes: object) -> Proof:
    fields = {name: getattr(GOOD, name) for name in GOOD.__slots__} | changes
    return Proof(**fields)  # type: ignore[arg-type]  # as they are in GOOD, but for the one under test


def test_nothing_wrong_is_good() -> None:
    """No problem, no leak."""
    assert GOOD.good
    assert GOOD.leaked == set()


def test_a_leak_is_named_with_its_place() -> None:
    """Which credential, and where."""
    proof = _with(leaks={"the logs": {"a"}, "the spool": {"a", "b"}})
    assert proof.leaked == {"a", "b"}
    assert proof.problems == ("found in the logs: a", "found in the spool: a, b")


def test_what_was_never_recorded_proves_nothing() -> None:
    """A credential that did not even travel cannot have been masked."""
    assert "planted, but not even" in _with(control=Control({"a"}, ())).problems[0]


def test_a_dead_letter_is_a_problem() -> None:
    """Nothing of a demo belongs there."""
    assert not _with(dead_letters=1).good


def test_a_broken_chain_is_a_problem() -> None:
    """As is whatever the judge says."""
    assert not _with(control=Control({"a", "b"}, ("broken",))).good
    assert not _with(verdict=Verdict(0, 0, 0, ("missing",))).good
    assert not _with(decisions=Decisions(2, 1, 1, 1, ("undecided",))).good
