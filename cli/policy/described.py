"""A request in words, as a case or the command line says it, and what the gateway would judge of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from tachograph.cli.errors import WrongUse
from tachograph.ingress.admission import Asked, Decision, Judge, ToolUse
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

__all__ = ["Described", "Subject", "subject_of"]

_NOBODY = UUID(int=0)
_DEFAULT_PATH = {Protocol.LLM: "/v1/messages", Protocol.MCP: "", Protocol.HTTP: "/"}


class Described(BaseModel):
    """Who asks for what through which connection. What is not said has the plainest value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    principal: Annotated[str, Field(min_length=1, max_length=256)] = "nobody"
    kind: Literal["api_key", "oidc", "saml", "mtls"] = "api_key"
    issuer: str | None = None
    groups: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    connection: str
    method: str | None = None
    path: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None
    """Text as it stands, anything else as JSON of it."""
    tool: str | None = None
    """That an MCP request calls; through an `llm` connection, that a model calls in its answer."""
    model: str | None = None
    """Which model calls the tool, as its answer says."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    rpc_method: str | None = None
    """A JSON-RPC method other than a tool call."""
    source: str = "127.0.0.1"
    at: AwareDatetime | None = None
    """When; now, where it is not said."""

    @model_validator(mode="after")
    def _one_body(self) -> Described:
        if sum(item is not None for item in (self.body, self.tool, self.rpc_method)) > 1:
            raise ValueError("expected one of body, tool and rpc_method")
        if self.arguments and self.tool is None:
            raise ValueError("arguments: expected a tool beside them")
        if self.model is not None and self.tool is None:
            raise ValueError("model: expected a tool that it calls; in a request it stands in the body")
        return self


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be decided on: a request, or a tool call in the answer to one."""

    asked: Asked
    use: ToolUse | None = None

    def decided(self, judge: Judge) -> Decision:
        """As the gateway decides."""
        return judge.decide(self.asked) if self.use is None else judge.decide_tool(self.asked, self.use)


def subject_of(words: Described, connections: Mapping[str, Connection], *, now: datetime) -> Subject:
    """What the words stand for. Raises `WrongUse` for a connection that there is not."""
    connection = connections.get(words.connection)
    if connection is None:
        known = ", ".join(sorted(connections)) or "none"
        raise WrongUse(f"connection {words.connection}: expected one of the configuration's ({known})")
    use = _use(words) if connection.protocol is Protocol.LLM else None
    if words.model is not None and use is None:
        raise WrongUse(f"connection {connection.name}: only what a model answers has a tool call of a model")
    body = _body(words) if use is None else None
    at = words.at or now
    asked = Asked(
        exchange=_NOBODY,
        session=_NOBODY,
        connection=connection,
        principal=Principal(id=words.principal, kind=PrincipalKind(words.kind), issuer=words.issuer),
        groups=frozenset(words.groups),
        actors=words.actors,
        method=words.method or ("GET" if body == b"" else "POST"),
        target=_DEFAULT_PATH[connection.protocol] if words.path is None else words.path,
        headers=tuple(words.headers.items()),
        client=f"{words.source}:0",
        started_ns=int(at.timestamp()) * 1_000_000_000,
        body=body,
    )
    return Subject(asked, use)


def _use(words: Described) -> ToolUse | None:
    if words.tool is None:
        return None
    return ToolUse(words.tool, json.dumps(words.arguments, ensure_ascii=False).encode(), words.model)


def _body(words: Described) -> bytes:
    value: Any = words.body
    if words.tool is not None:
        value = _rpc("tools/call", {"name": words.tool, "arguments": words.arguments})
    elif words.rpc_method is not None:
        value = _rpc(words.rpc_method, {})
    if value is None:
        return b""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def _rpc(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
