"""A request in words is the request that the gateway would judge."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.cli.errors import WrongUse
from tachograph.cli.policy.described import Described, subject_of
from tachograph.ingress.admission import ToolUse
from tachograph.schemas.connection import Connection

CONNECTIONS = {
    name: Connection(name=name, protocol=protocol, upstream="http://x")
    for name, protocol in (("crm", "http"), ("model", "llm"), ("files", "mcp"))
}
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def asked(**words: Any) -> Any:
    return subject_of(Described.model_validate(words), CONNECTIONS, now=NOW).asked


@pytest.mark.parametrize(
    ("words", "method", "target"),
    [
        ({"connection": "crm"}, "GET", "/"),
        ({"connection": "crm", "path": "/a?b=1", "method": "PUT"}, "PUT", "/a?b=1"),
        ({"connection": "model", "body": {"model": "m"}}, "POST", "/v1/messages"),
        ({"connection": "files", "tool": "ls"}, "POST", ""),
        ({"connection": "files"}, "GET", ""),
    ],
)
def test_the_plainest_request(words: dict[str, Any], method: str, target: str) -> None:
    """What is not said follows from what is."""
    found = asked(**words)
    assert (found.method, found.target) == (method, target)
    assert found.started_ns == int(NOW.timestamp()) * 1_000_000_000


def test_bodies() -> None:
    """A tool becomes JSON-RPC, a mapping JSON, text stays as it is."""
    called = json.loads(asked(connection="files", tool="rm", arguments={"path": "/x"}).body)
    assert called["params"] == {"name": "rm", "arguments": {"path": "/x"}}
    assert json.loads(asked(connection="files", rpc_method="ping").body)["method"] == "ping"
    assert asked(connection="model", body={"model": "é"}).body == '{"model": "é"}'.encode()
    assert asked(connection="crm", body="{broken").body == b"{broken"


def test_a_tool_of_a_model_is_a_call_in_its_answer() -> None:
    """Through an `llm` connection; the request that it answers is any call of a model."""
    words = {"connection": "model", "tool": "rm", "arguments": {"path": "/x"}, "model": "claude"}
    subject = subject_of(Described.model_validate(words), CONNECTIONS, now=NOW)
    assert subject.use == ToolUse("rm", b'{"path": "/x"}', "claude")
    assert (subject.asked.method, subject.asked.target, subject.asked.body) == ("POST", "/v1/messages", None)
    with pytest.raises(WrongUse, match="what a model answers"):
        asked(connection="files", tool="rm", model="claude")


def test_who_and_when() -> None:
    """Principal, groups, actors, source and time."""
    found = asked(
        connection="crm",
        principal="ada",
        kind="oidc",
        issuer="https://id",
        groups=["a"],
        actors=["helper"],
        source="10.0.0.9",
        at="1970-01-01T00:00:01Z",
    )
    assert (found.principal.id, found.principal.kind.value, found.principal.issuer) == (
        "ada",
        "oidc",
        "https://id",
    )
    assert (found.groups, found.actors, found.client, found.started_ns) == (
        {"a"},
        ("helper",),
        "10.0.0.9:0",
        1_000_000_000,
    )


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"connection": "crm", "colour": "red"},
        {"connection": "crm", "body": "x", "tool": "y"},
        {"connection": "crm", "arguments": {"a": 1}},
        {"connection": "model", "model": "claude"},
        {"connection": "crm", "at": "2026-01-01T00:00:00"},
        {"connection": "crm", "kind": "anonymous"},
    ],
)
def test_words_that_do_not_fit(words: dict[str, Any]) -> None:
    """Unknown fields, two bodies, arguments without a tool, a time without a zone."""
    with pytest.raises(ValidationError):
        Described.model_validate(words)


def test_an_unknown_connection_is_wrong_use() -> None:
    """With those that there are."""
    with pytest.raises(WrongUse, match="crm, files, model"):
        asked(connection="nowhere")
