"""A recorded request, read back from its masked event, as far as masking and cutting left it whole.

What policies read may be gone: a value stands masked, a body was cut or withheld, nobody noted the groups.
Whatever is not as it was on the wire is named in `unsure`, so that no conclusion rests on it unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from tachograph.ingress.admission import Asked, Decision
from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.judge import CedarJudge, Verdict
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

__all__ = ["Change", "Recorded", "Replay", "read_event", "replay"]

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
    """`body`, `groups`: what is not whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """One request that a candidate would decide otherwise."""

    exchange: str
    principal: str
    connection: str
    before: str
    decision: Decision


@dataclass(slots=True)
class Replay:
    """What a candidate policy set does to recorded traffic."""

    requests: int = 0
    same: int = 0
    changes: list[Change] = field(default_factory=list)
    unsure: dict[str, int] = field(default_factory=dict)
    """Requests whose outcome hangs on what the record does not hold, by what that is."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Records that are no judged requests, by why."""


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


def replay(
    events: Iterable[Mapping[str, Any]], judge: CedarJudge, connections: Mapping[str, Connection]
) -> Replay:
    """Judge every recorded request again."""
    found = Replay()
    for event in events:
        item = read_event(event, connections)
        if isinstance(item, str):
            if item != "no request":
                _count(found.skipped, item)
        elif item.asked.principal.kind is PrincipalKind.ANONYMOUS:
            _count(found.skipped, "refused before any policy: nobody known")
        else:
            _judge(found, item, judge)
    return found


def unsure(item: Recorded, verdicts: Iterable[Verdict], judge: CedarJudge) -> str:
    """What the decision hangs on that the record does not hold; "" where it is all there."""
    for verdict in verdicts:
        reads = judge.reads(verdict.call.action)
        if "groups" in item.missing and any(name.startswith("Group::") for name in reads):
            return "groups were not recorded"
        if "body" in item.missing and _needs_body(verdict.call.action, reads):
            return "the body is not whole"
        if name := next((name for name, value in verdict.context.items() if _masked(value)), ""):
            return f"context.{name} is masked"
    return ""


def _judge(found: Replay, item: Recorded, judge: CedarJudge) -> None:
    found.requests += 1
    decision = judge.decide(item.asked)
    try:
        doubt = unsure(item, judge.explain(item.asked), judge)
    except Unclear:
        doubt = "the body is not whole" if "body" in item.missing else ""
    if doubt:
        _count(found.unsure, doubt)
    elif decision.effect.value == (item.before or "allow"):
        found.same += 1
    else:
        asked = item.asked
        change = Change(str(asked.exchange), asked.principal.id, asked.connection.name, item.before, decision)
        found.changes.append(change)


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


def _count(tally: dict[str, int], name: str) -> None:
    tally[name] = tally.get(name, 0) + 1
