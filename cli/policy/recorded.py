"""A recorded request, read back from its masked event, as far as masking and cutting left it whole.

What policies read may be gone: a value stands masked, a body was cut or withheld, nobody noted the groups.
Whatever is not as it was on the wire is named in `unsure`, so that no conclusion rests on it unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from tachograph.cli.policy.described import Subject
from tachograph.ingress.admission import Asked, ToolUse
from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.judge import CedarJudge, Verdict
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, Protocol

__all__ = ["Recorded", "read_event", "unsure"]

_MASK = re.compile(r"\[[A-Z][A-Z0-9_]*(?::[A-Za-z0-9_.-]+)?\]", re.IGNORECASE)
"""What stands in place of a masked value, in a folded path in lower case."""
_CUT = "…[cut]"
_BODY_READS = ("context.model", "context.stream", "context.tools", "context.max_tokens")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it can be judged again."""

    asked: Asked
    before: str
    """The effect that was recorded; "" where no policy was in force."""
    missing: frozenset[str]
    """`body`, `groups`, `arguments`: what is not whole."""
    use: ToolUse | None = None
    """The tool call that is judged, where it is not the request itself."""

    @property
    def subject(self) -> Subject:
        return Subject(self.asked, self.use)


def read_event(event: Mapping[str, Any], connections: Mapping[str, Connection]) -> Recorded | str:
    """The request of one masked event, or why there is none."""
    tacho: Mapping[str, Any] = event.get("unmapped", {}).get("tacho", {})
    if tacho.get("type") != "request":
        return "no request"
    connection = connections.get(str(tacho.get("connection")))
    if connection is None:
        return "of a connection that the configuration does not have"
    try:
        principal = Principal.model_validate(tacho.get("principal"), strict=False)
        return _recorded(event, tacho, connection, principal)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
        return "unreadable"


def unsure(item: Recorded, verdicts: Iterable[Verdict], judge: CedarJudge) -> str:
    """What the decision hangs on that the record does not hold; "" where it is all there."""
    for verdict in verdicts:
        reads = judge.reads(verdict.call.action)
        if "groups" in item.missing and any(name.startswith("Group::") for name in reads):
            return "groups were not recorded"
        if "body" in item.missing and _needs_body(verdict.call.action, reads):
            return "the body is not whole"
        if "arguments" in item.missing and any(name.startswith("context.argument") for name in reads):
            return "a tool's arguments are not whole"
        if name := next((name for name, value in verdict.context.items() if _masked(value)), ""):
            return f"context.{name} is masked"
    return ""


def _recorded(
    event: Mapping[str, Any], tacho: Mapping[str, Any], connection: Connection, principal: Principal
) -> Recorded:
    policy: Mapping[str, Any] = tacho.get("policy") or {}
    body, whole = _body(tacho, connection.protocol)
    request = event["http_request"]
    source = event.get("src_endpoint", {})
    asked = Asked(
        exchange=UUID(tacho["exchange"]),
        session=UUID(tacho["session"]),
        connection=connection,
        principal=principal,
        groups=frozenset(policy.get("groups", ())),
        actors=principal.actors,
        method=str(request.get("http_method") or tacho["method"]),
        target=_target(request["url"]),
        headers=tuple((str(item["name"]), str(item["value"])) for item in request.get("http_headers", ())),
        client=f"{source['ip']}:{source.get('port', 0)}" if source.get("ip") else "",
        started_ns=_nanoseconds(tacho["ts"]),
        body=body,
    )
    missing = {name for name, there in (("body", whole), ("groups", "groups" in policy)) if not there}
    return Recorded(asked, str(policy.get("effect", "")), frozenset(missing))


def _body(tacho: Mapping[str, Any], protocol: Protocol) -> tuple[bytes | None, bool]:
    """The body, and whether it says all that policies can read."""
    cut = "body" in (tacho.get("truncated") or ()) or tacho.get("withheld") or tacho.get("body_parts")
    text = tacho.get("body") or ""
    if protocol is Protocol.HTTP:
        return None, True
    return text.encode(), not cut and bool(text or not (tacho.get("wire_body") or {}).get("length"))


def _target(url: Mapping[str, Any]) -> str:
    query = url.get("query_string")
    return str(url.get("path") or "") + (f"?{query}" if query else "")


def _nanoseconds(ts: str) -> int:
    seconds = datetime.fromisoformat(f"{ts[:19]}+00:00")
    return int(seconds.timestamp()) * 1_000_000_000


def _needs_body(action: Action, reads: Iterable[str]) -> bool:
    return action in {Action.MCP_CALL, Action.MCP_MESSAGE} or not set(_BODY_READS).isdisjoint(reads)


def _masked(value: object) -> bool:
    if isinstance(value, str):
        return _MASK.search(value) is not None or value.endswith(_CUT)
    if isinstance(value, Mapping):
        return any(_masked(item) for item in value.values())
    return isinstance(value, list) and any(_masked(item) for item in value)
