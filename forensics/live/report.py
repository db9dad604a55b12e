"""What an audit of a running system found, what it counted, and what it could not look at.

A thing that is wrong is named once, however often it is come across. What is lawfully gone is no finding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import MAX_SHOWN, Finding, Findings, State

__all__ = ["CLEAN", "LiveReport", "Named", "Unaudited"]

CLEAN = "clean"
"""Where nothing is wrong. It is no verdict: what is unaudited, or lawfully gone, is not vouched for."""


class Unaudited(StrEnum):
    """Why a record could not be audited."""

    UNMASKED = "not masked yet"
    UNSEALED = "behind the last checkpoint"
    UNINDEXED = "not in OpenSearch yet"
    DELETED = "lawfully deleted"
    GAP = "gone before they were sealed"
    NO_LEAF = "sealed, and their leaves are gone from the topic"
    UNNAMED = "of no identity that a document could be found by"


class Named(Findings):
    """Findings, each thing once."""

    def __init__(self) -> None:
        super().__init__()
        self._known: set[tuple[Verdict, str]] = set()

    def add(self, verdict: Verdict, where: str, text: str = "") -> None:
        if (verdict, where) in self._known:
            return
        if len(self._known) < 100 * MAX_SHOWN:  # beyond that nobody counts any more
            self._known.add((verdict, where))
        super().add(verdict, where, text)


@dataclass(slots=True)
class LiveReport:
    """Counts are of records unless they say otherwise."""

    findings: Named = field(default_factory=Named)
    states: Counter[State] = field(default_factory=Counter)
    unaudited: Counter[Unaudited] = field(default_factory=Counter)
    sealed: list[tuple[str, int, str]] = field(default_factory=list)
    """Origin, size and time of each log's last checkpoint."""
    stubs: int = 0
    """Documents that OpenSearch refused: a stub stands for each, and a dead letter has what was sealed."""
    remasked: int = 0
    """Leaves of records that were masked again; OpenSearch holds the first document."""
    strands: int = 0
    unattested: int = 0
    """Strands that no heartbeat names as far as heartbeats are believed yet: their end is anybody's word."""
    uncounted: str | None = None
    """Why documents without a leaf were not looked for, where they were not."""
    seconds: float = 0.0

    @property
    def audited(self) -> int:
        """Records whose document was compared with its leaf, or missed."""
        return self.states[State.PRESENT] + self.states[State.MISSING] + self.stubs

    @property
    def share(self) -> float:
        """Which part of all records is unaudited, 0 to 1."""
        return self.part(self.unaudited.total())

    def part(self, count: int) -> float:
        """So many of all records, 0 to 1."""
        return count / max(self.audited + self.unaudited.total(), 1)

    @property
    def exit_code(self) -> int:
        return self.findings.verdict.code

    @property
    def word(self) -> str:
        return self.findings.verdict.word if self.findings.counts else CLEAN

    @property
    def shown(self) -> list[Finding]:
        return sorted(self.findings.shown, key=lambda item: item.verdict.code)

    def as_json(self) -> dict[str, Any]:
        """For programs; the same keys in every release."""
        return {
            "verdict": self.word,
            "exit_code": self.exit_code,
            "audited": self.audited,
            "states": {state.value: self.states[state] for state in State},
            "findings": {
                item.word: self.findings.counts[item] for item in Verdict if self.findings.counts[item]
            },
            "details": [
                {"verdict": item.verdict.word, "where": item.where, "text": item.text} for item in self.shown
            ],
            "unaudited": {item.name.lower(): self.unaudited[item] for item in Unaudited},
            "unaudited_share": round(self.share, 6),
            "gaps": self.unaudited[Unaudited.GAP],
            "strands": self.strands,
            "unattested_strands": self.unattested,
            "remasked": self.remasked,
            "stubs": self.stubs,
            "inserted_not_looked_for": self.uncounted,
            "sealed": [{"log": name, "size": size, "time": time} for name, size, time in self.sealed],
            "seconds": round(self.seconds, 3),
        }
