"""What a candidate rule set would change: two maskers over the same parts, told in counts by rule; pure.

A span of the candidate that no span of the current rules touches is newly masked; a span of the current rules
that the candidate does not cover is newly leaked. Counts only: no value, no place in a text.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tachograph.processors.masking.masker import MaskedPart, Part, Span
from tachograph.processors.pipeline import Masks

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Sums over a window of records."""

    records: int = 0
    bytes: int = 0
    unreadable: int = 0
    """Records that could not be opened, and bodies of which only a part lies in the window."""
    newly_masked: Counter[str] = field(default_factory=Counter)
    newly_leaked: Counter[str] = field(default_factory=Counter)
    newly_withheld: Counter[str] = field(default_factory=Counter)
    no_longer_withheld: Counter[str] = field(default_factory=Counter)
    current_s: float = 0.0
    candidate_s: float = 0.0

    def add(
        self,
        parts: Sequence[Part],
        current: Masks,
        candidate: Masks,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        """Mask one record twice and count the differences."""
        self.records += 1
        self.bytes += sum(len(part.data) for part in parts)
        began = clock()
        before = current.mask(parts)
        between = clock()
        after = candidate.mask(parts)
        self.current_s += between - began
        self.candidate_s += clock() - between
        for old, new in zip(before, after, strict=True):
            self._compare(old, new)

    def _compare(self, old: MaskedPart, new: MaskedPart) -> None:
        if old.withheld or new.withheld:
            if new.withheld and not old.withheld:
                self.newly_withheld[new.withheld] += 1
            if old.withheld and not new.withheld:
                self.no_longer_withheld[old.withheld] += 1
            return
        self.newly_masked.update(s.rule for s in new.spans if not _touched(s, old.spans))
        self.newly_leaked.update(s.rule for s in old.spans if not _covered(s, new.spans))

    def facts(self) -> dict[str, object]:
        """For printing: counts by rule, seconds of CPU."""
        return {
            "records": self.records,
            "bytes": self.bytes,
            "unreadable": self.unreadable,
            "newly_masked": dict(self.newly_masked.most_common()),
            "newly_leaked": dict(self.newly_leaked.most_common()),
            "newly_withheld": dict(self.newly_withheld.most_common()),
            "no_longer_withheld": dict(self.no_longer_withheld.most_common()),
            "current_s": round(self.current_s, 3),
            "candidate_s": round(self.candidate_s, 3),
        }


def _touched(span: Span, others: Sequence[Span]) -> bool:
    return any(other.start < span.end and other.end > span.start for other in others)


def _covered(span: Span, others: Sequence[Span]) -> bool:
    """Whether the others, which are in order and do not overlap, cover all of it."""
    at = span.start
    for other in others:
        if other.start <= at < other.end:
            at = other.end
    return at >= span.end
