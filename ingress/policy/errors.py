"""What can be wrong with policies, and with a request that is to be judged.

PolicyError
|-- PoliciesRefused   policy files that do not parse, do not fit the schema, or are ambiguous
`-- Unclear           a request that two readers could take differently, so that nobody may judge it

Neither holds a byte of a request: an `Unclear` goes to the agent and into the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PoliciesRefused", "PolicyError", "Problem", "Unclear"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    line: int
    """From 1; 0 where the whole file is meant."""
    policy: str
    """The `@id`; empty where there is none."""
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: " + (f"policy `{self.policy}`: " if self.policy else "") + self.text


class PolicyError(Exception):
    """Base of what this room raises."""


class PoliciesRefused(PolicyError):
    """Policy files that cannot be used; none of their policies is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class Unclear(PolicyError):
    """A request that two readers could take differently."""
