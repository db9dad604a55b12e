"""`tacho policy`: tables for people, JSON for programs, exit codes for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Tacho = Callable[..., Result]
EXCHANGE = "33333333-3333-4333-8333-333333333333"


def event(tool: str = "rm", **policy: Any) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    return {
        "time": 1_700_000_000_000,
        "http_request": {"http_method": "POST", "url": {"path": ""}},
        "unmapped": {
            "tacho": {
                "type": "request",
                "session": "11111111-1111-4111-8111-111111111111",
                "exchange": EXCHANGE,
                "ts": "2026-11-23T10:20:30.123456789Z",
                "connection": "files",
                "principal": {"id": "nightly", "kind": "api_key", "issuer": None},
                "body": json.dumps(body),
                "policy": {"effect": "allow", "ids": ["old"], "groups": []} | policy,
            }
        },
    }


# -- check -----------------------------------------------------------------------------------------


def test_good_policies_are_counted(tacho: Tacho) -> None:
    """With the digest that records will carry."""
    done = tacho("check")
    assert (done.exit_code, done.stdout.split(",")[0]) == (0, "4 policies")
    told = json.loads(tacho("check", "--json").stdout)
    assert (told["good"], told["policies"]) == (True, ["read", "no-admin", "ls", "rm"])
    assert told["digest"] in done.stdout


def test_bad_policies_are_listed_with_their_lines(tacho: Tacho, folder: Path) -> None:
    """All of them, and the exit code is 1."""
    (folder / "policies.cedar").write_text(
        '@id("a") permit(principal, action, resource);\n\npermit all;\n@id("a") x'
    )
    done = tacho("check")
    assert done.exit_code == 1
    assert "policies.cedar:3: does not parse" in done.stdout
    assert "policies.cedar:4: does not parse" in done.stdout
    told = json.loads(tacho("check", "--json").stdout)
    assert [item["line"] for item in told["problems"]] == [3, 4]


def test_a_file_may_be_named(tacho: Tacho, folder: Path) -> None:
    """Before it is put into the configuration; what is odd about it is a warning."""
    other = folder / "other.cedar"
    other.write_text('@id("a") forbid(principal, action, resource) when { context.path like "/x*" };')
    done = tacho("check", str(other))
    assert done.exit_code == 0
    assert "warning:" in done.stdout
    assert "path_folded" in done.stdout


def test_no_policy_is_wrong_use(tacho: Tacho, folder: Path) -> None:
    """With what to do."""
    (folder / "tacho.yaml").write_text("connections: []\n")
    done = tacho("check")
    assert done.exit_code != 0
    assert "policy.files" in str(done.exception)


# -- test ------------------------------------------------------------------------------------------


CASES = """
defaults: {principal: nightly, groups: [agents]}
cases:
  - {name: reads, connection: crm, path: /people, expect: allow, policy: read}
  - {name: deletes, connection: files, tool: rm, arguments: {path: /tmp/x}, expect: approval, policy: [rm]}
  - {name: admin, connection: crm, path: /ADMIN, expect: deny, policy: no-admin}
"""


def test_good_cases(tacho: Tacho, folder: Path) -> None:
    """One line each, and exit code 0."""
    (folder / "cases.yaml").write_text(CASES)
    done = tacho("test", str(folder / "cases.yaml"))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "ok   reads",
        "ok   deletes",
        "ok   admin",
        "3 of 3 cases as expected",
    ]


def test_a_bad_case_shows_the_difference(tacho: Tacho, folder: Path) -> None:
    """What was expected, what came, and why; exit code 1."""
    (folder / "cases.yaml").write_text(CASES.replace("expect: deny", "expect: allow"))
    done = tacho("test", str(folder / "cases.yaml"))
    assert done.exit_code == 1
    assert "FAIL admin" in done.stdout
    assert "- expected  allow by no-admin" in done.stdout
    assert "+ got       deny by no-admin" in done.stdout
    told = json.loads(tacho("test", str(folder / "cases.yaml"), "--json").stdout)
    assert [case["good"] for case in told["cases"]] == [True, True, False]
    assert told["good"] is False


# -- explain ---------------------------------------------------------------------------------------


def test_a_described_request_is_explained(tacho: Tacho) -> None:
    """What follows, what was read, and each policy's part in it."""
    done = tacho("explain", "--connection", "files", "--tool", "rm", "--argument", "path=/tmp/x")
    assert done.exit_code == 0
    first, *rest = done.stdout.splitlines()
    assert first == "approval by rm: Deleting is final"
    assert any("needs 1 of ops" in line for line in rest)
    assert any(line.strip().startswith("* permit rm") and line.endswith(": matches") for line in rest)
    assert any("context.arguments = {'path': '/tmp/x'}" in line for line in rest)


def test_json_for_programs(tacho: Tacho) -> None:
    """The same, as one document."""
    told = json.loads(
        tacho("explain", "--connection", "crm", "--group", "agents", "--path", "/a", "--json").stdout
    )
    assert (told["effect"], told["policies"]) == ("allow", ["read"])
    (call,) = told["calls"]
    assert {part["id"]: part["applies"] for part in call["policies"]} == {
        "read": "matches",
        "no-admin": "does not match",
        "ls": "another action",
        "rm": "another action",
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--connection"),
        (("--connection", "none"), "expected one of"),
        (("--connection", "files", "--tool", "x", "--argument", "path"), "NAME=VALUE"),
        (("--connection", "crm", "--kind", "ghost"), "kind"),
        (("--connection", "crm", "--at", "yesterday"), "at"),
    ],
)
def test_wrong_use_is_said(tacho: Tacho, arguments: tuple[str, ...], says: str) -> None:
    """With what was expected."""
    done = tacho("explain", *arguments)
    assert done.exit_code != 0
    assert says in str(done.exception)


class Found:
    """What a cluster would have answered."""

    events = "tacho-events-*"

    def __init__(self, *sources: dict[str, Any]) -> None:
        self.sources = sources
        self.queries: list[Any] = []

    def scan(self, _index: str, query: Any) -> Iterator[dict[str, Any]]:
        self.queries.append(query)
        return iter([{"_source": source} for source in self.sources])

    def close(self) -> None:
        pass


def test_a_recorded_exchange_is_explained(tacho: Tacho, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its id, as the policies of today would judge it."""
    found = Found(event("ls"))
    monkeypatch.setattr("tachograph.cli.documents.Documents.open", lambda _: found)
    done = tacho("explain", EXCHANGE)
    assert done.stdout.splitlines()[0] == "allow by ls"
    assert EXCHANGE in str(found.queries)
    monkeypatch.setattr("tachograph.cli.documents.Documents.open", lambda _: Found())
    assert "no exchange" in str(tacho("explain", EXCHANGE).exception)


# -- backtest --------------------------------------------------------------------------------------


def test_what_would_change(tacho: Tacho, folder: Path) -> None:
    """From a file of masked events; what was allowed and would not be is listed."""
    file = folder / "events.jsonl"
    file.write_text("\n".join(json.dumps(event(tool)) for tool in ("ls", "format")))
    done = tacho("backtest", "--events", str(file))
    assert done.exit_code == 0
    assert "allow -> deny" in done.stdout
    assert "2 requests: 1 as before, 1 changed" in done.stdout
    told = json.loads(tacho("backtest", "--events", str(file), "--json").stdout)
    assert (told["requests"], told["same"], told["changed"]) == (2, 1, 1)
    assert told["changes"][0]["exchange"] == EXCHANGE


def test_stored_traffic_by_default(tacho: Tacho, monkeypatch: pytest.MonkeyPatch) -> None:
    """From OpenSearch, as far back as is said."""
    found = Found(event("ls"))
    monkeypatch.setattr("tachograph.cli.documents.Documents.open", lambda _: found)
    done = tacho("backtest", "--since", "7d")
    assert "Nothing would change." in done.stdout
    assert "range" in str(found.queries)
    assert "24h" in str(tacho("backtest", "--since", "soon").exception)


def test_a_broken_line_is_named(tacho: Tacho, folder: Path) -> None:
    """Never quoted."""
    file = folder / "events.jsonl"
    file.write_text("{}\nsecret\n")
    done = tacho("backtest", "--events", str(file))
    assert "events.jsonl:2" in str(done.exception)
    assert "secret" not in str(done.exception)


# -- tool calls in answers -------------------------------------------------------------------------

TOOLS = """
@id("ask") permit(principal, action == Action::"llm.message", resource);
@id("look") permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "look" };
"""


def answered(tool: str) -> list[dict[str, Any]]:
    """A request to a model, and its answer that calls a tool."""
    request = event("ls")
    request["http_request"]["url"]["path"] = "/v1/messages"
    tacho = request["unmapped"]["tacho"]
    tacho |= {"connection": "model", "policy": {"effect": "allow", "groups": []}, "body": "{}"}
    answer = {"tool_calls": [{"id": "t", "name": tool}], "arguments": {tool: {}}, "type": "response"}
    return [request, {**request, "unmapped": {"tacho": tacho | answer}}]


def test_tool_calls_in_answers_are_explained_and_backtested(
    tacho: Tacho, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Described, of a recorded exchange, and all of them at once."""
    (folder / "tools.cedar").write_text(TOOLS)
    ours = ("--policy", str(folder / "tools.cedar"))
    done = tacho("explain", "--connection", "model", "--tool", "look", *ours)
    assert done.stdout.splitlines()[0] == "allow by look"
    found = Found(*answered("drop"))
    monkeypatch.setattr("tachograph.cli.documents.Documents.open", lambda _: found)
    assert tacho("explain", EXCHANGE, *ours).stdout.splitlines()[0] == "allow by ask"
    assert tacho("explain", EXCHANGE, "--tool", "drop", *ours).stdout.startswith("deny")
    assert "calls the tool look" in str(tacho("explain", EXCHANGE, "--tool", "look", *ours).exception)
    told = json.loads(tacho("backtest", str(folder / "tools.cedar"), "--json").stdout)
    assert (told["requests"], told["tool_calls"], told["changes"][0]["tool"]) == (1, 1, "drop")
    assert "tool drop" in tacho("backtest", str(folder / "tools.cedar")).stdout
    assert "response" in str(found.queries[-1])
