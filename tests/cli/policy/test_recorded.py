"""Recorded traffic is judged again as far as it is whole, and no further."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.policy.recorded import Recorded, read_event
from tachograph.cli.policy.replay import replay
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

CONNECTIONS = {
    name: Connection(name=name, protocol=protocol, upstream="http://x")
    for name, protocol in (("crm", "http"), ("model", "llm"), ("files", "mcp"))
}
POLICIES = """
@id("get") permit(principal, action == Action::"http.request", resource) when { context.method == "GET" };
@id("vip") permit(principal in Group::"vip", action == Action::"http.request", resource);
@id("small") permit(principal, action == Action::"llm.message", resource)
when { context has model && context.model == "small" };
@id("tmp") permit(principal, action == Action::"mcp.call", resource)
when { context.arguments has path && context.arguments.path like "/tmp/*" };
"""


def judge(policies: str = POLICIES) -> CedarJudge:
    return CedarJudge(read_policies([PolicyFile("a", policies)]), CONNECTIONS.values())


def event(connection: str = "crm", method: str = "GET", path: str = "/a", **tacho: Any) -> dict[str, Any]:
    body = tacho.pop("body", None)
    return {
        "http_request": {"http_method": method, "url": {"path": path}},
        "src_endpoint": {"ip": "10.0.0.1", "port": 9},
        "unmapped": {
            "tacho": {
                "type": "request",
                "session": "11111111-1111-4111-8111-111111111111",
                "exchange": "33333333-3333-4333-8333-333333333333",
                "ts": "2026-11-23T10:20:30.123456789Z",
                "connection": connection,
                "principal": {"id": "nightly", "kind": "api_key", "issuer": None},
                "policy": {"effect": "allow", "groups": ["vip"]},
            }
            | ({} if body is None else {"body": body if isinstance(body, str) else json.dumps(body)})
            | tacho
        },
    }


def call(**arguments: Any) -> dict[str, Any]:
    params = {"name": "rm", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def test_a_request_is_read_back() -> None:
    """Who, what, when, from where, and the groups of that time."""
    found = read_event(event(path="/a", method="PUT"), CONNECTIONS)
    assert isinstance(found, Recorded)
    asked = found.asked
    assert (asked.principal.id, asked.method, asked.target, asked.groups) == ("nightly", "PUT", "/a", {"vip"})
    assert (asked.client, asked.started_ns % 60_000_000_000) == ("10.0.0.1:9", 30_000_000_000)
    assert (found.before, found.missing) == ("allow", set())


@pytest.mark.parametrize(
    ("recorded", "same", "changed", "doubt"),
    [
        (event(), 1, 0, None),
        (event(method="PUT"), 1, 0, None),
        (event(method="PUT", policy={"effect": "allow", "groups": []}), 0, 1, None),
        (event(method="PUT", policy=None), 0, 0, "groups were not recorded"),
        (event("model", "POST", "/v1/messages", body={"model": "small"}), 1, 0, None),
        (event("model", "POST", "/v1/messages", body={"model": "big"}), 0, 1, None),
        (
            event("model", "POST", "/v1/messages", body={"model": "[SECRET:a.b1]"}),
            0,
            0,
            "context.model is masked",
        ),
        (
            event("model", "POST", "/v1/messages", body='{"mod', truncated=["body"]),
            0,
            0,
            "the body is not whole",
        ),
        (event("files", "POST", "", body=call(path="/tmp/a")), 1, 0, None),
        (event("files", "POST", "", body=call(path="/etc/a")), 0, 1, None),
        (
            event("files", "POST", "", body=call(path="/tmp/[EMAIL:k.12]")),
            0,
            0,
            "context.arguments is masked",
        ),
        (event("files", "POST", "", body=call(path="/tmp/a", other="[EMAIL:k.12]")), 1, 0, None),
        (event("files", "POST", "", withheld="too-large"), 0, 0, "the body is not whole"),
    ],
)
def test_what_a_candidate_would_do(
    recorded: dict[str, Any], same: int, changed: int, doubt: str | None
) -> None:
    """The same, otherwise, or not to be told: masked values decide nothing, unread ones do not matter."""
    found = replay([recorded], judge(), CONNECTIONS)
    assert (found.requests, found.same, len(found.changes)) == (1, same, changed)
    assert found.unsure == ({doubt: 1} if doubt else {})


def test_a_masked_path_decides_nothing() -> None:
    """In its folded form either."""
    policy = '@id("a") forbid(principal, action, resource) when { context.path_folded like "/x*" };'
    found = replay([event(path="/users/[EMAIL:k1.ab]")], judge(policy), CONNECTIONS)
    assert found.unsure == {"context.path_folded is masked": 1}


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (event("gone"), "of a connection that the configuration does not have"),
        (event(principal={"id": "anonymous", "kind": "anonymous", "issuer": None}), "nobody known"),
        (event(principal=None), "unreadable"),
        (event(exchange="x"), "unreadable"),
        (event(ts=""), "unreadable"),
    ],
)
def test_what_is_left_out_is_counted(recorded: dict[str, Any], why: str) -> None:
    """With why."""
    found = replay([recorded], judge(), CONNECTIONS)
    assert found.requests == 0
    assert [reason for reason in found.skipped if why in reason]


def test_other_records_are_passed_over() -> None:
    """Responses, chunks and messages are no requests."""
    found = replay([event(type="response"), {}, {"unmapped": {}}], judge(), CONNECTIONS)
    assert (found.requests, found.skipped) == (0, {})


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(), lambda i: st.dictionaries(st.text(max_size=5), i)
    )
)
def test_no_event_breaks_it(value: Any) -> None:
    """Whatever stands in a document."""
    whole = event()
    whole["http_request"] = value
    assert isinstance(read_event(whole, CONNECTIONS), Recorded | str)
    whole = event(policy=value, body=value if isinstance(value, str) else "")
    assert isinstance(read_event(whole, CONNECTIONS), Recorded | str)
