"""`tacho policy test`: a table of requests with what is expected of each, held against what is decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tachograph.cli.errors import WrongUse
from tachograph.cli.policy.described import Described, Subject, subject_of
from tachograph.ingress.admission import Decision, Judge
from tachograph.schemas.connection import Connection

__all__ = ["Case", "Result", "read_cases", "run_cases"]


class Case(Described):
    """One row."""

    name: str = ""
    expect: Literal["allow", "deny", "approval"]
    policy: str | tuple[str, ...] | None = None
    """`@id` of the policies that must determine it, all of them; not looked at where it is not said."""

    @property
    def title(self) -> str:
        what = self.tool or self.rpc_method or f"{self.method or ''} {self.path or ''}".strip()
        return self.name or " ".join(word for word in (self.principal, self.connection, what) if word)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    defaults: dict[str, Any] = {}
    """Fields of every case that does not say otherwise."""
    cases: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what was decided."""

    case: Case
    decision: Decision
    subject: Subject

    @property
    def good(self) -> bool:
        return self.case.expect == self.decision.effect.value and (
            self.case.policy is None or _ids(self.case.policy) == set(self.decision.policies)
        )

    def difference(self) -> Iterator[str]:
        """What was expected and what came, a line each."""
        expected = sorted(_ids(self.case.policy)) if self.case.policy is not None else []
        yield f"- expected  {_said(self.case.expect, expected)}"
        yield f"+ got       {_said(self.decision.effect.value, self.decision.policies)}"
        if self.decision.reason:
            yield f"  because   {self.decision.reason}"

    def told(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "name": self.case.title,
            "good": self.good,
            "expected": {"effect": self.case.expect, "policy": self.case.policy},
            "got": {
                "effect": self.decision.effect.value,
                "policies": list(self.decision.policies),
                "reason": self.decision.reason,
            },
        }


def read_cases(text: str, *, file: str) -> tuple[Case, ...]:
    """The cases of a YAML file. Raises `WrongUse` that names the case and the field."""
    try:
        table = _Table.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise WrongUse(f"{file}:{mark.line + 1 if mark else 1}: expected YAML") from None
    except ValidationError as error:
        raise WrongUse(f"{file}: expected `cases`, a list of mappings; {_fields(error)}") from None
    return tuple(_case(table.defaults | row, f"{file}: case {n}") for n, row in enumerate(table.cases, 1))


def run_cases(
    cases: Iterable[Case], judge: Judge, connections: Mapping[str, Connection], *, now: datetime
) -> tuple[Result, ...]:
    """Every case, decided as the gateway would."""
    subjects = [(case, subject_of(case, connections, now=now)) for case in cases]
    return tuple(Result(case, subject.decided(judge), subject) for case, subject in subjects)


def _case(row: dict[str, Any], place: str) -> Case:
    try:
        return Case.model_validate(row)
    except ValidationError as error:
        raise WrongUse(f"{place}: {_fields(error)}") from None


def _fields(error: ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'all'}: {item['msg']}" for item in found[:5])


def _ids(policy: str | tuple[str, ...] | None) -> set[str]:
    if policy is None:
        return set()
    return {policy} if isinstance(policy, str) else set(policy)


def _said(effect: str, policies: Iterable[str]) -> str:
    names = ", ".join(policies)
    return f"{effect} by {names}" if names else effect
