"""That a log has only grown, from its right edge at the earlier size and the leaves since: in little memory.

A writer that keeps no tree proves this way; of the leaves before, nothing but the frontier is needed, and of
those since, each is seen once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tachograph.schemas.merkle import Frontier

__all__ = ["grown_proof"]

Span = tuple[int, int]
"""Leaves from the first up to before the second."""


def grown_proof(first: Frontier, later: Iterable[bytes], *, second: int) -> tuple[bytes, ...]:
    """RFC 9162, 2.1.4.1: that a log of `second` leaves begins with those of `first`.

    `later` are the leaf hashes from number `first.size` on, at least up to `second`. Raises `ValueError`
    where there are too few.
    """
    if not 0 <= first.size <= second:
        raise ValueError(f"expected 0 <= {first.size} <= {second}")
    if first.size in {0, second}:
        return ()
    spans = list(_spans(first.size, 0, second, whole=True))
    known = dict(_edge(first))
    stream = iter(later)
    for start, end in sorted(span for span in spans if span not in known):
        part = Frontier().extended(islice(stream, end - start))
        if part.size != end - start:
            raise ValueError(f"expected leaves up to {second}, they end at {start + part.size}")
        known[start, end] = part.root()
    return tuple(known[span] for span in spans)


def _edge(frontier: Frontier) -> Iterator[tuple[Span, bytes]]:
    """The whole subtrees of a frontier, with where they lie: one for each bit of its size."""
    at = 0
    for item in frontier.hashes:
        width = 1 << (frontier.size - at).bit_length() - 1
        yield (at, at + width), item
        at += width


def _spans(first: int, start: int, end: int, *, whole: bool) -> Iterator[Span]:
    """What each hash of the proof is over: SUBPROOF of RFC 9162, 2.1.4.1."""
    if first == end:
        if not whole:
            yield start, end
        return
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    if first <= middle:
        yield from _spans(first, start, middle, whole=whole)
        yield middle, end
    else:
        yield from _spans(first, middle, end, whole=False)
        yield start, middle
