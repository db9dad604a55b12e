"""One approval as programs and people see it: the JSON of the console's API and of `tacho approvals --json`.

The same shape wherever it comes from, so that a script works with either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from tachograph.cli.story import line
from tachograph.schemas.approval import Need
from tachograph.schemas.approval_book import Approval, Counted, Grant

__all__ = ["approval_view", "columns", "grant_view", "rfc3339", "row"]

columns = ("id", "asked (UTC)", "ends (UTC)", "who", "connection", "what", "needs", "why", "text")


def approval_view(approval: Approval, *, now_ms: int, document: bytes | None) -> dict[str, Any]:
    """`document` is the masked request as it is stored; None while it has not arrived."""
    asked = approval.requested
    lacking = dict(approval.missing())
    return {
        "id": str(approval.id),
        "state": approval.state(now_ms).value,
        "connection": asked.connection,
        "protocol": asked.protocol.value,
        "requester": asked.requester.model_dump(mode="json"),
        "session": str(asked.session),
        "exchange": str(asked.exchange),
        "record": str(asked.record),
        "needs": [_need(need, lacking.get(need, 0)) for need in asked.needs],
        "asked": rfc3339(approval.opened_ms),
        "expires": rfc3339(approval.expires_ms),
        "request_digest": asked.request_digest,
        "max_grant_minutes": asked.max_grant_minutes,
        "decisions": [_said(each) for each in (*approval.decisions, *approval.voids)],
        "document": None if document is None else orjson.loads(document),
        "shown": None if document is None else hashlib.sha256(document).hexdigest(),
    }


def grant_view(grant: Grant) -> dict[str, Any]:
    """One grant that is in force."""
    return {
        "approval": str(grant.approval),
        "requester": grant.requester.model_dump(mode="json"),
        "connection": grant.connection,
        "groups": [need.group for need in grant.needs],
        "since": rfc3339(grant.since_ms),
        "until": rfc3339(grant.until_ms),
    }


def row(view: Mapping[str, Any]) -> tuple[str, ...]:
    """One pending approval as a line of a table."""
    told = line(view["document"]) if view["document"] else None
    lacking = (f"{need['missing']} of {need['group']}" for need in view["needs"] if need["missing"])
    return (
        view["id"][:8],
        view["asked"][11:19],
        view["expires"][11:19],
        str(view["requester"]["id"]),
        view["connection"],
        told.what if told else "(not masked yet)",
        ", ".join(lacking),
        "; ".join(need["reason"] for need in view["needs"] if need["reason"]),
        told.text if told else "",
    )


def rfc3339(unix_ms: int) -> str:
    """A time in UTC, to the second."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _need(need: Need, missing: int) -> dict[str, Any]:
    return need.model_dump(mode="json") | {"missing": missing}


def _said(counted: Counted) -> dict[str, Any]:
    decided = counted.decided
    return {
        "verdict": decided.verdict,
        "reviewer": decided.reviewer.principal.model_dump(mode="json"),
        "via": decided.reviewer.via,
        "comment": decided.comment,
        "at": rfc3339(counted.at_ms),
        "shown": decided.shown,
        "grant_minutes": decided.grant_minutes,
        "void": counted.void.value if counted.void else None,
    }
