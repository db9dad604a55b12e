"""Lanes: what belongs to a partition belongs to one assignment of it."""

from tachograph.processors.assemble import Assembler
from tachograph.processors.lanes import Lanes, Mark, Place

ONE, TWO = Place("raw", 0), Place("raw", 1)


def new_lanes() -> Lanes:
    return Lanes(lambda: Assembler(hold_bytes=100, hold_seconds=1))


def test_a_record_of_another_generation_has_no_lane() -> None:
    """What was fetched before a rebalance is read again by whoever owns it now."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(7, 9)})
    assert lanes.find(("raw", 0), 4) is not None
    assert lanes.find(("raw", 0), 3) is None
    assert lanes.find(("raw", 1), 4) is None


def test_a_new_generation_begins_at_the_committed_mark() -> None:
    """Held bodies of the old one are gone, and read again."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(7, 9)})
    before = lanes.find(ONE, 4)
    assert before is not None
    before.ledger.begin(7).close()
    lanes.assign(5, {ONE: Mark(7, 9)})
    after = lanes.find(ONE, 5)
    assert after is not None
    assert after is not before
    assert (after.ledger.next_offset, after.ledger.replayed_until) == (7, 9)


def test_within_a_generation_a_lane_goes_on() -> None:
    """Seeking again does not forget what is in flight."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(7, 7)})
    before = lanes.find(ONE, 4)
    lanes.assign(4, {ONE: Mark(7, 7)})
    assert lanes.find(ONE, 4) is before


def test_partitions_no_longer_assigned_are_forgotten() -> None:
    """An assignment is the whole truth; so is a revocation."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(0, 0), TWO: Mark(0, 0)})
    lanes.assign(5, {TWO: Mark(0, 0)})
    assert lanes.find(ONE, 5) is None
    lanes.revoke([("raw", 1)])
    assert list(lanes) == []


def test_how_many_are_assigned_is_known_once_there_was_an_assignment() -> None:
    """None before, then what is left; a stand-by has none."""
    lanes = new_lanes()
    lanes.revoke([ONE])
    assert lanes.assigned is None
    lanes.assign(4, {ONE: Mark(0, 0), TWO: Mark(0, 0)})
    assert lanes.assigned == 2
    lanes.revoke([TWO])
    assert lanes.assigned == 1
    lanes.assign(5, {})
    assert lanes.assigned == 0


def test_only_marks_that_moved_are_due() -> None:
    """A commit is made when there is something new to say, and said once."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(7, 7), TWO: Mark(0, 0)})
    assert lanes.due() == {}
    lane = lanes.find(ONE, 4)
    assert lane is not None
    lane.ledger.begin(7).close()
    due = lanes.due()
    assert due == {ONE: Mark(8, 8)}
    lanes.committed(due)
    assert lanes.due() == {}


def test_an_old_commit_says_nothing_about_a_lane_that_is_gone() -> None:
    """A late answer does not bring a revoked partition back."""
    lanes = new_lanes()
    lanes.assign(4, {ONE: Mark(7, 7)})
    lanes.revoke([ONE])
    lanes.committed({ONE: Mark(9, 9)})
    lanes.assign(5, {ONE: Mark(7, 7)})
    assert lanes.due() == {}
