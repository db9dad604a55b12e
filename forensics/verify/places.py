"""Which places of strands a leaf without a document stands for.

A leaf has a uid, which is a hash of its place: it is found by trying. That costs as much as there are leaves
to find, and `MAX_HOLE` places in a whole bundle that have none, however wide its gaps are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

__all__ = ["MAX_HOLE", "Places", "Uid"]

MAX_HOLE = 100_000
"""Places without a leaf that are looked for one by one; it is known then that the bundle lacks records."""
Uid = Callable[[int], str]
"""Of one strand's records by their `seq`."""


@dataclass(slots=True)
class Places:
    """The search through one bundle. `lost` are leaves without a document, type by uid; `placed` those of
    them, and the uids of documents, that are known to stand for a place."""

    lost: Mapping[str, str]
    placed: set[str] = field(default_factory=set)
    absent: int = 0
    """Places that were tried and have no leaf."""

    def missing(self, uid: Uid, spans: Sequence[range]) -> int:
        """How many places of one strand's spans have no leaf; behind `MAX_HOLE` such places of the bundle,
        all that follow the next one in the strand are taken to have none."""
        found = 0
        for place in chain.from_iterable(spans) if self.lost else ():
            if (name := uid(place)) in self.lost:
                self.placed.add(name)
                found += 1
            elif self.absent == MAX_HOLE:
                break
            else:
                self.absent += 1
        return sum(map(len, spans)) - found
