"""Recorded traffic is decided once more, requests and tool calls in answers alike."""

from __future__ import annotations

from typing import Any

import pytest

from tachograph.cli.policy.replay import replay
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

CONNECTIONS = {
    name: Connection(name=name, protocol=kind, upstream="http://x")
    for name, kind in (("model", "llm"), ("crm", "http"))
}
REQUESTS = '@id("ask") permit(principal, action == Action::"llm.message", resource);'
TOOLS = (
    REQUESTS
    + """
@id("ls") permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "ls" };
@id("tmp") @approval("ops") @reason("final") permit(principal, action == Action::"llm.tool_use", resource)
when { context.tool == "rm" && context.arguments has path && context.arguments.path like "/tmp/*" };
"""
)


def event(kind: str, **tacho: Any) -> dict[str, Any]:
    return {
        "http_request": {"http_method": "POST", "url": {"path": "/v1/messages"}},
        "unmapped": {
            "tacho": {
                "type": kind,
                "session": "11111111-1111-4111-8111-111111111111",
                "exchange": "33333333-3333-4333-8333-333333333333",
                "ts": "2026-11-23T10:20:30.123456789Z",
                "connection": "model",
                "principal": {"id": "nightly", "kind": "api_key", "issuer": None},
                "policy": {"effect": "allow", "groups": []},
            }
            | tacho
        },
    }


def answer(tool: str, **arguments: Any) -> dict[str, Any]:
    return event("response", tool_calls=[{"id": "t", "name": tool}], arguments={tool: arguments})


def judge(policies: str) -> CedarJudge:
    return CedarJudge(read_policies([PolicyFile("a", policies)]), CONNECTIONS.values())


@pytest.mark.parametrize(
    ("events", "same", "changed", "doubt"),
    [
        ([answer("ls")], 2, [], None),
        ([answer("rm", path="/tmp/a")], 1, [("rm", "approval")], None),
        ([answer("rm", path="/etc")], 1, [("rm", "deny")], None),
        (
            [event("decision", tool_use_id="t", policy={"effect": "deny"}), answer("rm", path="/etc")],
            2,
            [],
            None,
        ),
        ([answer("rm", path="[EMAIL:a.1]")], 1, [], "context.arguments is masked"),
        ([answer("rm")], 1, [("rm", "deny")], None),
        (
            [event("response", tool_calls=[{"id": "t", "name": "rm"}])],
            1,
            [],
            "a tool's arguments are not whole",
        ),
    ],
)
def test_what_a_candidate_would_do_with_tool_calls(
    events: list[dict[str, Any]], same: int, changed: list[tuple[str, str]], doubt: str | None
) -> None:
    """As with requests: the same, otherwise, or not to be told."""
    found = replay([event("request", body="{}"), *events], judge(TOOLS), CONNECTIONS)
    assert (found.requests, found.tool_calls, found.same) == (1, 1, same)
    assert [(one.tool, one.decision.effect.value) for one in found.changes] == changed
    assert found.unsure == ({doubt: 1} if doubt else {})


def test_answers_are_passed_over_where_no_policy_looks_at_them() -> None:
    """Then tool calls pass, today as by the candidate; nothing is counted and nothing is said."""
    found = replay([event("request", body="{}"), answer("rm")], judge(REQUESTS), CONNECTIONS)
    assert (found.requests, found.tool_calls, found.skipped) == (1, 0, {})


def test_what_cannot_be_judged_is_counted_with_why() -> None:
    """An answer without its request, and one that is not as events are."""
    broken = event("response", tool_calls=[{"id": "t"}])
    found = replay([answer("ls"), event("request", body="{}"), broken], judge(TOOLS), CONNECTIONS)
    assert found.tool_calls == 0
    assert sorted(found.skipped) == [
        "an answer with tool calls whose request is not among the events",
        "unreadable",
    ]
