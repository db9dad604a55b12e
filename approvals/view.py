"""One approval as programs see it: JSON, the same from the console's API and `tacho approvals --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tachograph.schemas.approval_book import Approval, Counted, Grant

__all__ = ["Stored", "approval_view", "grant_view", "moment"]


@dataclass(frozen=True, slots=True)
class Stored:
    """One masked document: its digest, SHA-256 in hex over the stored bytes, and what it says."""

    digest: str
    source: Mapping[str, Any] = field(repr=False)


def approval_view(approval: Approval, *, now_ms: int, document: Stored | None) -> dict[str, Any]:
    """With the masked request and its digest, which an approval names; both None while it is not there."""
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
        "needs": [need.model_dump(mode="json") | {"missing": lacking.get(need, 0)} for need in asked.needs],
        "asked": moment(approval.opened_ms),
        "expires": moment(approval.expires_ms),
        "request_digest": asked.request_digest,
        "max_grant_minutes": asked.max_grant_minutes,
        "decisions": [_said(each) for each in (*approval.decisions, *approval.voids)],
        "document": None if document is None else document.source,
        "shown": None if document is None else document.digest,
    }


def grant_view(grant: Grant) -> dict[str, Any]:
    """One grant that is in force."""
    return {
        "approval": str(grant.approval),
        "requester": grant.requester.model_dump(mode="json"),
        "connection": grant.connection,
        "groups": [need.group for need in grant.needs],
        "since": moment(grant.since_ms),
        "until": moment(grant.until_ms),
    }


def moment(unix_ms: int) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(counted: Counted) -> dict[str, Any]:
    decided = counted.decided
    return {
        "verdict": decided.verdict,
        "reviewer": decided.reviewer.principal.model_dump(mode="json"),
        "via": decided.reviewer.via,
        "comment": decided.comment,
        "at": moment(counted.at_ms),
        "shown": decided.shown,
        "grant_minutes": decided.grant_minutes,
        "void": counted.void.value if counted.void else None,
    }
