"""`tacho policy backtest`: recorded traffic, decided once more by candidate policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tachograph.cli.policy.recorded import Recorded, read_event, unsure
from tachograph.cli.policy.recorded_tools import Answers
from tachograph.ingress.admission import Decision
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import PrincipalKind

__all__ = ["Change", "Replay", "replay"]


@dataclass(frozen=True, slots=True)
class Change:
    """One request, or one tool call, that a candidate would decide otherwise."""

    exchange: str
    principal: str
    connection: str
    before: str
    decision: Decision
    tool: str | None = None
    """The tool, where a tool call in the answer would be decided otherwise."""


@dataclass(slots=True)
class Replay:
    """What a candidate policy set does to recorded traffic."""

    requests: int = 0
    tool_calls: int = 0
    same: int = 0
    changes: list[Change] = field(default_factory=list)
    unsure: dict[str, int] = field(default_factory=dict)
    """How many outcomes hang on what the record does not hold, by what that is."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many records cannot be judged, by why."""


def replay(
    events: Iterable[Mapping[str, Any]], judge: CedarJudge, connections: Mapping[str, Connection]
) -> Replay:
    """Judge every recorded request again, and every tool call in an answer where policies look at those."""
    found, answers = Replay(), Answers()
    for event in events:
        item = read_event(event, connections)
        if item == "no request":
            if _has_judged_tools(event, judge, connections):
                _judge_answer(found, answers, event, judge)
        elif isinstance(item, str):
            _count(found.skipped, item)
        elif item.asked.principal.kind is PrincipalKind.ANONYMOUS:
            _count(found.skipped, "refused before any policy: nobody known")
        else:
            _judge(found, item, judge)
            if judge.reads_tools(item.asked.connection):
                answers.asked(item)
    return found


def _has_judged_tools(
    event: Mapping[str, Any], judge: CedarJudge, connections: Mapping[str, Connection]
) -> bool:
    connection = connections.get(str(event.get("unmapped", {}).get("tacho", {}).get("connection")))
    return connection is not None and judge.reads_tools(connection)


def _judge_answer(found: Replay, answers: Answers, event: Mapping[str, Any], judge: CedarJudge) -> None:
    calls: tuple[Recorded | str, ...]
    try:
        calls = tuple(answers.told(event))
    except (ValueError, KeyError, TypeError, AttributeError):
        calls = ("unreadable",)
    for call in calls:
        if isinstance(call, str):
            _count(found.skipped, call)
        else:
            _judge(found, call, judge)


def _judge(found: Replay, item: Recorded, judge: CedarJudge) -> None:
    decision, use = item.subject.decided(judge), item.use
    if use is None:
        found.requests += 1
    else:
        found.tool_calls += 1
    try:
        doubt = unsure(item, judge.explain(item.asked, use), judge)
    except Unclear:
        doubt = "the body is not whole" if "body" in item.missing else ""
    if doubt:
        _count(found.unsure, doubt)
    elif decision.effect.value == (item.before or "allow"):
        found.same += 1
    else:
        asked = item.asked
        tool = use.tool if use is not None else None
        place = (str(asked.exchange), asked.principal.id, asked.connection.name)
        found.changes.append(Change(*place, item.before, decision, tool))


def _count(tally: dict[str, int], name: str) -> None:
    tally[name] = tally.get(name, 0) + 1
