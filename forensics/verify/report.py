"""What verification found: the verdict, each thing on record with its state, and every finding by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tachograph.forensics.verdict import Verdict

__all__ = ["MAX_SHOWN", "Finding", "Findings", "RecordState", "Report", "State", "refused"]

MAX_SHOWN = 1_000
"""Findings kept with their text; all are counted."""


class State(StrEnum):
    """What is known of one record. EXPIRED and ERASED need a leaf that says so (docs/spec/deletion.md)."""

    PRESENT = "PRESENT"
    EXPIRED = "EXPIRED"
    ERASED = "ERASED"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class RecordState:
    """One thing on record: a line of the leaves, or places of a strand that nothing stands for."""

    uid: str | None
    type: str
    state: State
    count: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    verdict: Verdict
    where: str
    text: str = ""


@dataclass(slots=True)
class Findings:
    """Collects what is wrong; bounded, because a bundle may be wrong everywhere."""

    shown: list[Finding] = field(default_factory=list)
    counts: Counter[Verdict] = field(default_factory=Counter)

    def add(self, verdict: Verdict, where: str, text: str = "") -> None:
        self.counts[verdict] += 1
        if len(self.shown) < MAX_SHOWN or self.counts[verdict] == 1:
            self.shown.append(Finding(verdict, where, text))

    @property
    def verdict(self) -> Verdict:
        """The one with the lowest code; COMPLETE when nothing is wrong."""
        return min(self.counts, key=lambda item: item.code, default=Verdict.COMPLETE)


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to an auditor. `sealed` are (origin, size, time) of each log's last checkpoint; `stamped`
    are those of every checkpoint that a believed authority stamped, with the authority's time; `unchecked` is
    what the policy did not ask for, or this bundle does not allow."""

    verdict: Verdict
    session: str | None = None
    records: tuple[RecordState, ...] = ()
    findings: tuple[Finding, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    sealed: tuple[tuple[str, int, str], ...] = ()
    stamped: tuple[tuple[str, int, str], ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def states(self) -> dict[str, int]:
        """How many records are in each state."""
        found = dict.fromkeys((state.value for state in State), 0)
        for record in self.records:
            found[record.state.value] += record.count
        return found

    def as_json(self) -> dict[str, Any]:
        """For programs; the same keys in every release of this format."""
        return {
            "verdict": self.verdict.word,
            "exit_code": self.verdict.code,
            "meaning": self.verdict.meaning,
            "session": self.session,
            "states": self.states,
            "findings": self.counts,
            "details": [
                {"verdict": item.verdict.word, "where": item.where, "text": item.text}
                for item in self.findings
            ],
            "records": [
                {"uid": item.uid, "type": item.type, "state": item.state.value, "count": item.count}
                for item in self.records
            ],
            "sealed": [{"log": name, "size": size, "time": time} for name, size, time in self.sealed],
            "stamped": [{"log": name, "size": size, "time": time} for name, size, time in self.stamped],
            "unchecked": list(self.unchecked),
        }


def refused(verdict: Verdict, where: str, text: str) -> Report:
    """The report on a bundle of which nothing can be believed."""
    return Report(verdict, findings=(Finding(verdict, where, text),), counts={verdict.word: 1})
