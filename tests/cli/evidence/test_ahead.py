"""Questions are asked ahead within their bound; answers come in order, and a fault in its turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.evidence.ahead import ahead

SECONDS = 20.0


@given(st.lists(st.integers(), max_size=20), st.integers(1, 4))
def test_each_question_comes_with_its_answer_in_order(questions: list[int], most: int) -> None:
    """However many are under way."""
    assert list(ahead(questions, str, most=most)) == [(item, str(item)) for item in questions]


def test_the_next_are_asked_while_one_waits() -> None:
    """The first is answered only once the third was asked: one after the other would wait for ever."""
    third = threading.Event()

    def ask(number: int) -> bool:
        if number == 2:
            third.set()
        return third.wait(SECONDS)

    assert [answer for _, answer in ahead(range(3), ask, most=3)] == [True] * 3


def test_no_more_are_taken_than_may_be_under_way() -> None:
    """So much memory is all that it takes."""
    taken: list[int] = []

    def questions() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    for number, _ in ahead(questions(), str, most=2):
        assert len(taken) <= number + 3


def test_a_fault_comes_in_its_turn_and_ends_the_rest() -> None:
    """What was answered before it counts."""

    def ask(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    answers = ahead(range(1_000), ask, most=2)
    assert [next(answers), next(answers)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="2"):
        next(answers)
    assert list(answers) == []


def test_whoever_has_enough_leaves_nothing_running() -> None:
    """Threads end with the generator."""
    answers = ahead(range(1_000), str, most=3)
    next(answers)
    assert _running()
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert not _running()


def _running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]
