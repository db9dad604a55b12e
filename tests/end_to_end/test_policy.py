"""Policies in service: what they say is obeyed, answered, recorded, searchable, and can be tried again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from typer.testing import CliRunner

from tachograph.cli.main import app

pytestmark = pytest.mark.engines

POLICIES = """
@id("read") @reason("Reading is free")
permit(principal == Agent::"agent", action == Action::"http.request", resource == Connection::"api")
when { context.method == "GET" };
@id("no-admin") @reason("Administration is for people")
forbid(principal is Agent, action, resource) when { context.path_folded like "/admin*" };
@id("ls") permit(principal, action == Action::"mcp.call", resource == Connection::"tools")
when { context.tool == "ls" && context.arguments has path && context.arguments.path like "/srv/*" };
"""
CANDIDATE = POLICIES.replace('context.tool == "ls"', 'context.tool == "list"')


@pytest.fixture(scope="module")
def judged(
    stack: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    answer: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A site with the policies above."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "policies.cedar").write_text(POLICIES)
    with open_site(
        folder, stack, {"policy": {"files": ["policies.cedar"], "contact": "the platform team"}}
    ) as site:
        site.target.play = answer(b"{}")
        yield site


def call(tool: str, path: str) -> bytes:
    params = {"name": tool, "arguments": {"path": path}}
    return json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}).encode()


def policy(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["unmapped"]["tacho"]["policy"]
    return found


def test_what_is_permitted_goes_on_and_says_why(judged: Any) -> None:
    """The request's document has the decision in our words and in OCSF's."""
    assert judged.ask("/c/api/people", method="GET").startswith(b"HTTP/1.1 200 ")
    request, _ = judged.told("GET /people")
    assert (policy(request)["effect"], policy(request)["ids"]) == ("allow", ["read"])
    assert (request["action"], request["policy"]["uid"]) == ("Allowed", "read")
    assert "inputs" not in policy(request)


def test_what_is_forbidden_is_answered_and_recorded(judged: Any) -> None:
    """However it is written; the answer names the rule and whom to ask."""
    answered = judged.ask("/c/api//Admin./keys", method="GET")
    assert answered.startswith(b"HTTP/1.1 403 ")
    assert b"`no-admin`: Administration is for people" in answered
    assert b"ask the platform team" in answered
    request, response = judged.told("GET //Admin./keys")
    assert (policy(request)["effect"], request["disposition"]) == ("deny", "Blocked")
    assert response["unmapped"]["tacho"]["error"]["code"] == "policy-denied"


def test_tool_calls_are_judged_by_their_arguments(judged: Any) -> None:
    """One goes, one does not, one cannot be read without doubt; then a candidate is tried on all of them."""
    double = b'{"jsonrpc":"2.0","id":5,"method":"tools/call","method":"ping","params":{"name":"ls"}}'
    answers = [
        judged.ask("/c/tools", body=body) for body in (call("ls", "/srv/a"), call("ls", "/etc/a"), double)
    ]
    assert [found.split(b" ")[1] for found in answers] == [b"200", b"403", b"400"]

    def effects() -> list[str]:
        documents = judged.documents()
        mcp = [one for one in documents if one["unmapped"]["tacho"].get("connection") == "tools"]
        return sorted(policy(one)["effect"] for one in mcp if one["unmapped"]["tacho"]["type"] == "request")

    judged.eventually(lambda: effects() == ["allow", "deny", "deny"])
    (judged.folder / "candidate.cedar").write_text(CANDIDATE)
    told = tacho(judged, "backtest", str(judged.folder / "candidate.cedar"), "--json")
    assert told["changed"] == 1
    (change,) = told["changes"]
    assert (change["connection"], change["before"], change["after"]) == ("tools", "allow", "deny")
    assert told["unsure"] == {}
    explained = tacho(judged, "explain", change["exchange"], "--json")
    assert (explained["effect"], explained["policies"]) == ("allow", ["ls"])


def tacho(judged: Any, *arguments: str) -> dict[str, Any]:
    """The JSON that `tacho policy ...` prints."""
    config = str(judged.folder / "tacho.yaml")
    done = CliRunner().invoke(app, ["policy", *arguments, "--config", config])
    assert done.exit_code == 0, done.output or done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found
