"""An explanation names every policy and its part in the decision."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tachograph.cli.policy.described import Described, subject_of
from tachograph.cli.policy.explain import explained, lines
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

CONNECTIONS = {
    name: Connection(name=name, protocol=kind, upstream="http://x")
    for name, kind in (("files", "mcp"), ("model", "llm"))
}
POLICIES = """
@id("all") permit(principal, action, resource);
@id("cap") forbid(principal, action == Action::"mcp.call", resource)
when { context.arguments has n && context.arguments.n > 3 };
@id("ping") permit(principal, action == Action::"mcp.message", resource);
@id("answers") forbid(principal, action == Action::"llm.tool_use", resource) when { context.tool == "rm" };
"""


def explain(**words: Any) -> Any:
    judge = CedarJudge(read_policies([PolicyFile("a", POLICIES)]), CONNECTIONS.values())
    described = Described.model_validate({"connection": "files"} | words)
    return explained(subject_of(described, CONNECTIONS, now=datetime(2026, 1, 1, tzinfo=UTC)), judge)


def test_a_permit_that_is_overruled_still_matches() -> None:
    """Cedar names only what determined the decision; people ask about the others."""
    found = explain(tool="pay", arguments={"n": 9})
    (call,) = found.calls
    assert found.decision.policies == ("cap",)
    assert [part.applies for part in call.parts] == ["matches", "matches", "another action", "another action"]


def test_a_policy_that_fails_is_marked() -> None:
    """It is why the request is denied."""
    found = explain(tool="pay", arguments={"n": "many"})
    assert [part.applies for part in found.calls[0].parts] == [
        "matches",
        "fails",
        "another action",
        "another action",
    ]
    assert any(line.strip().startswith("! forbid cap") for line in lines(found))


def test_every_call_of_a_batch_is_explained() -> None:
    """Each with its own action and context."""
    body = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "x", "arguments": {"n": 1}}},
    ]
    found = explain(body=body)
    assert [call.action for call in found.calls] == ["mcp.message", "mcp.call"]
    assert [call["context"] for call in found.told()["calls"]] == [{}, {"arguments": {"n": 1}}]


def test_what_has_two_readings_has_no_calls() -> None:
    """The reason stands in the first line."""
    found = explain(body='{"jsonrpc":"2.0","method":"a","method":"b"}')
    assert found.calls == ()
    assert next(lines(found)).startswith("deny: expected each key once")


def test_a_tool_call_of_a_model_is_explained() -> None:
    """By the policies on what comes back, not by those on the request."""
    found = explain(connection="model", tool="rm", arguments={"path": "/x"})
    (call,) = found.calls
    assert (found.decision.effect.value, found.decision.policies) == ("deny", ("answers",))
    assert (call.action, call.context) == ("llm.tool_use", {"tool": "rm"})
    assert [part.applies for part in call.parts] == ["matches", *["another action"] * 2, "matches"]
