"""The bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.recent import Recent


def test_a_thing_is_new_once() -> None:
    """`add` is True the first time and False while it is remembered."""
    recent: Recent[str] = Recent(2)
    assert recent.add("a")
    assert not recent.add("a")
    assert "a" in recent


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_the_last_different_things_are_remembered(things: list[int], limit: int) -> None:
    """Never more than the limit, and always those seen last."""
    recent: Recent[int] = Recent(limit)
    for thing in things:
        recent.add(thing)
    last = list(dict.fromkeys(reversed(things)))[:limit]
    assert len(recent) == len(last)
    assert all(thing in recent for thing in last)
