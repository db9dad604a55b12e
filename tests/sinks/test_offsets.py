"""What may be committed."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.offsets import Offsets

P = ("t", 0)


def tracked(*offsets: int) -> Offsets:
    found = Offsets()
    found.assign([P])
    for offset in offsets:
        assert found.received(P, offset)
    return found


def test_a_hole_holds_back_everything_behind_it() -> None:
    """2 may not be committed past while 1 is open."""
    offsets = tracked(0, 1, 2)
    offsets.acknowledge(P, 2)
    assert offsets.committable() == {}
    offsets.acknowledge(P, 0)
    assert offsets.committable() == {P: 1}
    offsets.acknowledge(P, 1)
    assert offsets.committable() == {P: 3}


def test_gaps_in_the_numbers_are_no_holes() -> None:
    """Compaction and transactions leave gaps; what counts is what was received."""
    offsets = tracked(3, 9)
    offsets.acknowledge(P, 3)
    offsets.acknowledge(P, 9)
    assert offsets.committable() == {P: 10}


def test_a_commit_is_not_repeated() -> None:
    """Once the broker has it."""
    offsets = tracked(0)
    offsets.acknowledge(P, 0)
    offsets.committed({P: 1})
    assert offsets.committable() == {}


def test_a_revoked_partition_is_forgotten() -> None:
    """Late acknowledgements and new records of it count for nothing."""
    offsets = tracked(0, 1)
    offsets.revoke([P])
    offsets.acknowledge(P, 0)
    assert offsets.committable() == {}
    assert not offsets.received(P, 2)
    assert offsets.unacknowledged == 0
    assert offsets.partitions == ()


@given(
    st.lists(st.integers(0, 40), unique=True, max_size=40).flatmap(
        lambda xs: st.tuples(st.just(sorted(xs)), st.permutations(xs))
    )
)
def test_what_is_committed_is_always_whole(case: tuple[list[int], list[int]]) -> None:
    """In whatever order acknowledgements come, everything below the committable offset is acknowledged."""
    received, order = case
    offsets = tracked(*received)
    done: set[int] = set()
    for offset in order:
        offsets.acknowledge(P, offset)
        done.add(offset)
        limit = offsets.committable().get(P, 0)
        assert {one for one in received if one < limit} <= done
    assert offsets.committable() == ({P: received[-1] + 1} if received else {})
    assert offsets.unacknowledged == 0
