"""What is asked of OpenSearch ahead: the next questions wait there while the answer before is worked on.

Order and memory are those of asking one after the other, but for the few that are under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

Q = TypeVar("Q")
A = TypeVar("A")


def ahead(questions: Iterable[Q], ask: Callable[[Q], A], *, most: int) -> Iterator[tuple[Q, A]]:
    """Each question with its answer, in order, while at most so many more are asked, each in a thread.

    A question is taken only when it can be asked at once. What `ask` raises is raised in its turn.
    """
    asked: deque[tuple[Q, Future[A]]] = deque()
    with ThreadPoolExecutor(most, thread_name_prefix="ahead") as pool:
        try:
            for question in questions:
                asked.append((question, pool.submit(ask, question)))
                if len(asked) > most:
                    yield _answered(asked)
            while asked:
                yield _answered(asked)
        finally:
            for _, answer in asked:
                answer.cancel()


def _answered(asked: deque[tuple[Q, Future[A]]]) -> tuple[Q, A]:
    question, answer = asked.popleft()
    return question, answer.result()
