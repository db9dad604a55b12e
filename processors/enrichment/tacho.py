"""What OCSF has no place for: the header verbatim, what masking did, and how the wire framed it."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from tachograph.processors.enrichment.bounds import ARGUMENTS_BYTES, ID_BYTES, LINE_BYTES, MAX_RULES, clip
from tachograph.processors.enrichment.conversation import Link
from tachograph.processors.enrichment.http import wire_headers
from tachograph.processors.record import MaskedRecord
from tachograph.schemas.event import Header
from tachograph.schemas.payload import (
    ApprovalMeta,
    BodyTotals,
    ChunkMeta,
    DecisionMeta,
    HeartbeatMeta,
    PolicyDecision,
    RequestMeta,
    ResponseMeta,
    ReviewerDecision,
    SessionCloseMeta,
    SessionOpenMeta,
    ToolDecision,
)

__all__ = [
    "header_block",
    "masking_block",
    "message_block",
    "meta_block",
    "part_block",
    "policy_block",
    "present",
    "tool_block",
]

_VERSION = 1


def header_block(canonical: bytes) -> dict[str, Any]:
    """The capture header, every field of it: its canonical JSON can be hashed again from the document."""
    found: dict[str, Any] = orjson.loads(canonical)
    return found


def masking_block(record: MaskedRecord) -> dict[str, Any]:
    """What masking did to this record, and under which rules."""
    rules = sorted((rule, number) for rule, number in record.masked.items() if number > 0)[:MAX_RULES]
    counts = {clip(rule, ID_BYTES): number for rule, number in rules}
    masked = {"total": sum(counts.values()), "rules": list(counts), "counts": counts}
    return present(
        ruleset=clip(record.ruleset, ID_BYTES),
        masked=masked,
        withheld=clip(record.withheld, ID_BYTES) if record.withheld else None,
        body_len=record.decoded_len,
        salt=record.salts.of(record.header.uid) if record.salts else None,
        **record.removed,
    )


def meta_block(record: MaskedRecord) -> dict[str, Any]:
    """The facts that frame the body, by kind of record."""
    match record.meta:
        case RequestMeta() as meta:
            return present(
                wire_body=_totals(meta.body),
                method=clip(meta.line.method, ID_BYTES),
                credential=clip(meta.credential, ID_BYTES) if meta.credential else None,
                policy=policy_block(meta.decision) if meta.decision else None,
            )
        case ResponseMeta() as meta:
            return _response(meta)
        case ChunkMeta() as meta:
            place = present(index=meta.index, offset=meta.offset, text_in=record.text_in)
            return {"chunk": place | _sha256(meta.sha256)}
        case DecisionMeta() as meta:
            return present(
                decision=meta.decision,
                reason=clip(meta.reason, LINE_BYTES),
                method=clip(meta.line.method, ID_BYTES),
                approval=approval_block(meta.approval) if meta.approval else None,
                policy=policy_block(meta.policy) if meta.policy else None,
                **(tool_block(meta.tool) if meta.tool else {}),
            )
        case SessionOpenMeta() | SessionCloseMeta() | HeartbeatMeta() as meta:
            return _own(meta)


def _own(meta: SessionOpenMeta | SessionCloseMeta | HeartbeatMeta) -> dict[str, Any]:
    """What the gateway says of itself. What is signed stands whole, or its signature would say nothing."""
    match meta:
        case SessionOpenMeta():
            return present(
                basis=meta.basis,
                version=clip(meta.version, ID_BYTES),
                config_digest=clip(meta.config_digest, ID_BYTES),
                boot=meta.boot.model_dump(mode="json") if meta.boot else None,
                boot_note=meta.boot_note,
            )
        case SessionCloseMeta():
            return present(records=meta.records, reason=meta.reason, last=meta.last)
        case HeartbeatMeta():
            return {"heartbeat": meta.heartbeat.model_dump(mode="json"), "signature": meta.signature}


def policy_block(decision: PolicyDecision) -> dict[str, Any]:
    """What the policies said about a request."""
    return {
        "effect": decision.effect,
        "ids": [clip(id_, ID_BYTES) for id_ in decision.policies[:MAX_RULES]],
        "reason": clip(decision.reason, LINE_BYTES),
        "digest": clip(decision.digest, ID_BYTES),
        "micros": decision.micros,
        "groups": [clip(name, ID_BYTES) for name in decision.groups],
    }


def tool_block(tool: ToolDecision) -> dict[str, Any]:
    """A tool call that was held or refused, under the names that MCP calls have."""
    return present(
        tool=clip(tool.name, ID_BYTES),
        tool_use_id=clip(tool.id, ID_BYTES),
        arguments_text=clip(tool.arguments, ARGUMENTS_BYTES),
        replacement=clip(tool.replacement, LINE_BYTES) if tool.replacement else None,
    )


def approval_block(approval: ApprovalMeta) -> dict[str, Any]:
    """Who was asked, who said what, and how it came out; reviewers' comments are masked like a body."""
    return present(
        id=clip(approval.id, ID_BYTES),
        outcome=approval.outcome,
        request_digest=clip(approval.request_digest, ID_BYTES),
        asked=approval.asked,
        waited_ms=approval.waited_ms,
        granted_until=approval.granted_until,
        needs=[
            {
                "group": clip(need.group, ID_BYTES),
                "reviewers": need.reviewers,
                "policy": clip(need.policy, ID_BYTES),
            }
            for need in approval.needs[:MAX_RULES]
        ],
        decisions=[_reviewed(said) for said in approval.decisions[:MAX_RULES]],
    )


def _reviewed(said: ReviewerDecision) -> dict[str, Any]:
    return present(
        verdict=said.verdict,
        reviewer=clip(said.reviewer, ID_BYTES),
        issuer=clip(said.issuer, ID_BYTES) if said.issuer else None,
        groups=[clip(name, ID_BYTES) for name in said.groups[:MAX_RULES]],
        via=said.via,
        comment=clip(said.comment, LINE_BYTES) or None,
        at=said.at,
        shown=clip(said.shown, ID_BYTES) if said.shown else None,
        grant_minutes=said.grant_minutes,
    )


def part_block(header: Header, uid: uuid.UUID, *, index: int, count: int, body: str) -> dict[str, Any]:
    """A further slice of a body. It is no link of the capture chain, so it carries none of its fields."""
    return present(
        v=_VERSION,
        uid=str(uid),
        type="part",
        session=str(header.session),
        exchange=str(header.exchange) if header.exchange else None,
        connection=header.connection,
        protocol=header.protocol.value if header.protocol else None,
        direction=header.direction.value,
        part={"of": str(header.uid), "index": index, "count": count},
        body=body,
    )


def message_block(header: Header, uid: uuid.UUID, link: Link) -> dict[str, Any]:
    """One message of a conversation. Nothing here may depend on which request carried it."""
    return present(
        v=_VERSION,
        uid=str(uid),
        type="message",
        session=str(header.session),
        connection=header.connection,
        protocol=header.protocol.value if header.protocol else None,
        message={
            "hash": link.hash,
            "parent": link.parent,
            "index": link.index,
            "role": clip(link.turn.role, ID_BYTES),
        },
    )


def present(**values: Any) -> dict[str, Any]:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def _response(meta: ResponseMeta) -> dict[str, Any]:
    error, timing = meta.error, meta.timing
    return present(
        wire_body=_totals(meta.body),
        timing=present(
            start=timing.start,
            request_end=timing.request_end,
            first_byte=timing.first_byte,
            end=timing.end,
        ),
        origin=meta.origin,
        method=clip(meta.request.method, ID_BYTES),
        trailers=wire_headers(meta.trailers) or None,
        error={"code": error.code, "detail": clip(error.detail, LINE_BYTES)} if error else None,
    )


def _totals(body: BodyTotals) -> dict[str, Any]:
    return {"length": body.length, "chunks": body.chunks, "complete": body.complete} | _sha256(body.sha256)


def _sha256(digest: str) -> dict[str, str]:
    # Masking takes it out where there was a body: a short secret could be guessed from it.
    return {"sha256": digest} if digest else {}
