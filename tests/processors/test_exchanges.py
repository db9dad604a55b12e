"""The memory of open exchanges: bounded by number and bytes, the oldest forgotten first."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.exchanges import Exchanges
from tachograph.processors.masking.carried import Carried, Secret


def carried(size: int) -> Carried:
    return Carried((Secret("r", "PASSWORD", 60, b"x" * size),))


def test_what_is_looked_at_stays() -> None:
    """A decision comes before its answer, which is masked by the same."""
    open_, name = Exchanges(), uuid.UUID(int=1)
    assert open_.look(name) is None
    open_.keep(name, Carried(injected=(b"abc",)))
    assert open_.look(name) == open_.take(name) == Carried(injected=(b"abc",))
    assert (len(open_), open_.size) == (0, 0)


def test_what_is_taken_is_forgotten() -> None:
    """An answer ends its exchange."""
    held = Exchanges()
    one = uuid.UUID(int=1)
    held.keep(one, carried(9))
    assert held.take(one) == carried(9)
    assert held.take(one) is None
    assert len(held) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_the_bounds_hold_and_the_newest_stay(work: list[tuple[int, int]]) -> None:
    """Whatever comes, and however often the same exchange."""
    held = Exchanges(limit=4, limit_bytes=100)
    for number, size in work:
        held.keep(uuid.UUID(int=number), carried(size))
        assert len(held) <= 4
        assert held.size <= 100
    kept = {number: held.take(uuid.UUID(int=number)) for number in range(10)}
    assert sum(one.size for one in kept.values() if one) <= 100
    if work:
        assert kept[work[-1][0]] == carried(work[-1][1])
    assert (len(held), held.size) == (0, 0)


def test_one_that_is_larger_than_everything_is_not_kept() -> None:
    """It is read again when its answer comes."""
    held = Exchanges(limit_bytes=10)
    held.keep(uuid.UUID(int=1), carried(11))
    assert len(held) == 0


def test_no_value_is_in_a_repr() -> None:
    """Counts only."""
    held = Exchanges()
    held.keep(uuid.UUID(int=1), carried(7))
    assert repr(held) == "Exchanges(open=1, bytes=7)"
