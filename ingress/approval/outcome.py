"""An approval as the session's record tells it: who was asked, who said what and when, how it came out."""

from __future__ import annotations

from typing import Literal

from tachograph.schemas.approval import Need, Reviewer
from tachograph.schemas.approval_book import Approval, Counted, Grant
from tachograph.schemas.event import rfc3339_ns
from tachograph.schemas.payload import ApprovalMeta, ApprovalNeeded, ReviewerDecision

__all__ = ["Outcome", "approval_meta", "refusal", "summary"]

Outcome = Literal["approved", "denied", "expired", "granted", "used"]
MAX_QUOTED = 300
"""Characters of a reviewer's comment that the agent is told."""


def approval_meta(
    approval: Approval, outcome: Outcome, *, waited_ms: int, grant: Grant | None = None
) -> ApprovalMeta:
    """What the decision record says; `grant` is the one that the exchange went on with or that it made."""
    asked = approval.requested
    return ApprovalMeta(
        id=str(approval.id),
        outcome=outcome,
        request_digest=asked.request_digest,
        asked=_time(approval.opened_ms),
        needs=tuple(
            ApprovalNeeded(group=need.group, reviewers=need.reviewers, policy=need.policy)
            for need in asked.needs
        ),
        decisions=tuple(_said(each, asked.needs) for each in approval.decisions),
        waited_ms=max(waited_ms, 0),
        granted_until=_time(grant.until_ms) if grant is not None else None,
    )


def summary(approval: Approval, outcome: Outcome) -> str:
    """The reason that the record gives, in our own words; the reviewers' stand beside it."""
    who = ", ".join(
        each.decided.reviewer.principal.id
        for each in approval.decisions
        if (each.decided.verdict == "deny") == (outcome == "denied")
    )
    return {
        "approved": f"approved by {who}",
        "granted": f"allowed by a grant of {who}",
        "denied": f"denied by {who}",
        "expired": "nobody decided in time",
        "used": "the approval was used by another exchange",
    }[outcome]


def refusal(approval: Approval, outcome: Outcome) -> str:
    """What the agent is told: who said no, and why in the reviewer's words, which are part of the answer."""
    words = [each.decided.comment for each in approval.decisions if each.decided.verdict == "deny"]
    said = " ".join(" ".join(words).split())
    quoted = f': "{said[:MAX_QUOTED]}"' if outcome == "denied" and said else ""
    groups = ", ".join(f"`{need.group}`" for need in approval.requested.needs)
    asked = "" if outcome == "denied" else f"; reviewers are members of {groups}"
    return f"{summary(approval, outcome)}{quoted} (approval {approval.id}{asked})"


def _said(counted: Counted, needs: tuple[Need, ...]) -> ReviewerDecision:
    decided = counted.decided
    return ReviewerDecision(
        verdict=decided.verdict,
        reviewer=decided.reviewer.principal.id,
        issuer=decided.reviewer.principal.issuer,
        groups=_asked_for(decided.reviewer, needs),
        via=decided.reviewer.via,
        comment=decided.comment,
        at=_time(counted.at_ms),
        shown=decided.shown,
        grant_minutes=decided.grant_minutes,
    )


def _asked_for(reviewer: Reviewer, needs: tuple[Need, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(need.group for need in needs if need.group in reviewer.groups))


def _time(unix_ms: int) -> str:
    return rfc3339_ns(unix_ms * 1_000_000)
