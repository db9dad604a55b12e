"""`tacho policy explain`: one request, each policy's part in its decision, and what was read for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tachograph.cli.policy.described import Subject
from tachograph.ingress.admission import Decision
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.judge import CedarJudge, Verdict

__all__ = ["Explained", "Part", "explained", "lines"]


@dataclass(frozen=True, slots=True)
class Part:
    """One policy and one call: whether it applies by itself."""

    id: str
    place: str
    effect: str
    applies: str
    """`matches`, `does not match`, `another action`, or `fails`."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the request."""

    action: str
    decision: Decision
    reads: tuple[str, ...]
    context: Mapping[str, Any]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The whole request."""

    decision: Decision
    calls: tuple[Call, ...]

    def told(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "effect": self.decision.effect.value,
            "policies": list(self.decision.policies),
            "reason": self.decision.reason,
            "digest": self.decision.digest,
            "needs": [
                {
                    "group": need.group,
                    "reviewers": need.reviewers,
                    "minutes": need.minutes,
                    "policy": need.policy,
                }
                for need in self.decision.needs
            ],
            "calls": [
                {
                    "action": call.action,
                    "effect": call.decision.effect.value,
                    "reads": list(call.reads),
                    "context": call.context,
                    "policies": [
                        {"id": part.id, "place": part.place, "effect": part.effect, "applies": part.applies}
                        for part in call.parts
                    ],
                }
                for call in self.calls
            ],
        }


def explained(subject: Subject, judge: CedarJudge) -> Explained:
    """What is decided, and why. What has two readings has no calls."""
    decision, asked, use = subject.decided(judge), subject.asked, subject.use
    try:
        verdicts, alone = judge.explain(asked, use), judge.satisfied(asked, use)
    except Unclear:
        return Explained(decision, ())
    pairs = zip(verdicts, alone, strict=True)
    return Explained(decision, tuple(_call(verdict, applies, judge) for verdict, applies in pairs))


def lines(found: Explained) -> Iterator[str]:
    """The same for people."""
    decision = found.decision
    by = f" by {', '.join(decision.policies)}" if decision.policies else ""
    yield f"{decision.effect.value}{by}{': ' + decision.reason if decision.reason else ''}"
    for need in decision.needs:
        yield f"  needs {need.reviewers} of {need.group} within {need.minutes} min ({need.policy})"
    for call in found.calls:
        yield ""
        yield f"{call.action}: {call.decision.effect.value}"
        yield f"  policies read: {', '.join(call.reads) or 'nothing of it'}"
        for name, value in call.context.items():
            yield f"    context.{name} = {value!r}"
        for part in call.parts:
            mark = {"matches": "*", "fails": "!"}.get(part.applies, " ")
            yield f"  {mark} {part.effect:<6} {part.id} ({part.place}): {part.applies}"


def _call(verdict: Verdict, applies: Mapping[str, bool | None], judge: CedarJudge) -> Call:
    action = verdict.call.action
    parts = tuple(
        Part(
            id=policy.id,
            place=policy.place,
            effect="permit" if policy.permit else "forbid",
            applies=_applies(applies[policy.id], ours=action in policy.actions),
        )
        for policy in judge.policies.values()
    )
    return Call(action.value, verdict.decision, judge.reads(action), verdict.context, parts)


def _applies(found: bool | None, *, ours: bool) -> str:
    if not ours:
        return "another action"
    return "fails" if found is None else "matches" if found else "does not match"
