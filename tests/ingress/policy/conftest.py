"""Requests and judges for the policy tests, made from a few words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest

from tachograph.ingress.admission import Asked
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind

CONNECTIONS = {
    item.name: item
    for item in (
        Connection(name="crm", protocol="http", upstream="http://crm.internal", labels={"env": "prod"}),
        Connection(name="wiki", protocol="http", upstream="http://wiki.internal/api"),
        Connection(name="model", protocol="llm", upstream="https://api.anthropic.com"),
        Connection(name="files", protocol="mcp", upstream="http://files.internal/mcp"),
    )
}


def _asked(connection: str = "crm", method: str = "GET", target: str = "/", **extra: Any) -> Asked:
    body = extra.pop("body", None)
    if not isinstance(body, bytes | None):
        body = json.dumps(body).encode()
    who = extra.pop("who", "nightly")
    values: dict[str, Any] = {
        "exchange": UUID(int=1),
        "session": UUID(int=2),
        "connection": CONNECTIONS[connection],
        "principal": who if isinstance(who, Principal) else Principal(id=who, kind=PrincipalKind.API_KEY),
        "groups": frozenset(extra.pop("groups", ())),
        "actors": (),
        "method": method,
        "target": target,
        "headers": (),
        "client": "10.1.2.3:4711",
        "started_ns": 1_700_000_000_000_000_000,  # a Tuesday, 22:13 UTC
        "body": body,
    }
    return Asked(**(values | extra))


def _rpc(tool: str | None = None, method: str = "tools/call", **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments} if tool is not None else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _judge(*policies: str, connections: Iterable[Connection] = CONNECTIONS.values()) -> CedarJudge:
    return CedarJudge(read_policies([PolicyFile("test.cedar", "\n".join(policies))]), connections)


@pytest.fixture
def asked() -> Callable[..., Asked]:
    """One request: connection, method, target; `body` as bytes or as what is JSON of it."""
    return _asked


@pytest.fixture
def rpc() -> Callable[..., dict[str, Any]]:
    """One JSON-RPC message; with a tool's name, a call of it."""
    return _rpc


@pytest.fixture
def judge() -> Callable[..., CedarJudge]:
    """A judge of policies in Cedar text."""
    return _judge
