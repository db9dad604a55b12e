"""Puts each kind of event together from its blocks. What each block holds is the blocks' own law."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from tachograph.processors.enrichment import ai, http, ocsf
from tachograph.processors.enrichment.bounds import ID_BYTES, LINE_BYTES, clip
from tachograph.processors.enrichment.clock import day_of, unix_ms
from tachograph.processors.enrichment.conversation import Link, place
from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.reading import path_of
from tachograph.processors.enrichment.said import facts_block, place_block, turn_block
from tachograph.processors.enrichment.tacho import (
    header_block,
    masking_block,
    message_block,
    meta_block,
    part_block,
    present,
)
from tachograph.processors.record import MaskedRecord
from tachograph.schemas.event import Header, Protocol, header_hash
from tachograph.schemas.ocsf import ACTIONS, AI_ROLES, DISPOSITIONS, OTHER, UNKNOWN
from tachograph.schemas.payload import (
    ChunkMeta,
    DecisionMeta,
    HeartbeatMeta,
    PolicyDecision,
    RequestMeta,
    ResponseMeta,
    SessionCloseMeta,
    SessionOpenMeta,
)

__all__ = ["bare_event", "message_event", "part_event", "wire_event"]

Event = dict[str, Any]
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3
_ALLOWED, _DENIED = 1, 2
_EFFECTS = {"allow": _ALLOWED, "deny": _DENIED}
_START, _STOP = 3, 4
_DENIALS = frozenset(
    {
        "unauthenticated",
        "forbidden",
        "unknown-connection",
        "policy-denied",
        "approval-denied",
        "approval-timeout",
    }
)
_FIRST_FAILURE = 400
_ROLES = {"user": 1, "assistant": 2, "tool": 3, "function": 3}


def wire_event(record: MaskedRecord, facts: Facts, links: Sequence[Link]) -> Event:
    """The document of one record, all but its body's text."""
    header = record.header
    event = _kind(record, facts)
    day = day_of(event["time"])
    tacho = masking_block(record) | meta_block(record)
    tacho |= facts_block(facts, day) | place_block(place(links))
    return _signed(event, header, tacho)


def bare_event(header: Header, problem: str) -> Event:
    """The document of a record of which only the header can be told."""
    return _signed(_nameless(header, "unreadable record"), header, {"enrichment_error": problem})


def part_event(header: Header, uid: uuid.UUID, time: int, *, place: tuple[int, int], body: str) -> Event:
    """A further slice of a long body: `place` is its index and how many there are."""
    index, count = place
    event = _nameless(header, f"part {index} of {count}")
    event |= {"time": time, "actor": ocsf.actor(header)}
    tacho = part_block(header, uid, index=index, count=count, body=body)
    return _closed(event, ocsf.metadata(str(uid)), tacho)


def message_event(header: Header, link: Link, uid: uuid.UUID, time: int, *, body: str) -> Event:
    """One message of a conversation, the same whichever request carried it."""
    turn, session = link.turn, str(header.session)
    event = ocsf.frame(ocsf.API_ACTIVITY, OTHER, time=time, message=f"{turn.role} message {link.index}")
    role = _ROLES.get(turn.role, OTHER)
    prompt = {"response_text" if turn.assistant else "prompt_text": ai.context_text(turn.text)}
    event |= ocsf.state(status=UNKNOWN) | {
        "actor": {"session": {"uid": session}},
        "src_endpoint": {"name": "session", "uid": session},
        "api": {"operation": "message", "service": {"name": header.connection or "unknown"}},
        "message_context": {"uid": link.hash, "service": {"name": header.connection or "unknown"}}
        | ocsf.named("ai_role", role, AI_ROLES)
        | present(**prompt),
    }
    tacho = message_block(header, uid, link) | turn_block(turn) | {"body": body}
    return _closed(event, ocsf.metadata(str(uid)), tacho)


def _kind(record: MaskedRecord, facts: Facts) -> Event:
    match record.meta:
        case RequestMeta() as meta:
            return _request(record, meta, facts)
        case ResponseMeta() as meta:
            return _response(record, meta, facts)
        case ChunkMeta() as meta:
            return _nameless(record.header, f"{record.header.direction.value} chunk {meta.index}")
        case DecisionMeta() as meta:
            return _decision(record, meta)
        case SessionOpenMeta() | SessionCloseMeta() | HeartbeatMeta() as meta:
            return _own(record, meta)


def _request(record: MaskedRecord, meta: RequestMeta, facts: Facts) -> Event:
    header, line = record.header, meta.line
    operation = facts.operation or facts.rpc_method or f"{line.method} {path_of(line.target)}"
    event = _call_frame(
        header,
        (header.protocol, line.method, facts.rpc_method),
        f"{line.method} {path_of(line.target)}{_tail(facts)}",
        client=meta.client,
    )
    event |= ocsf.state(status=UNKNOWN) | _ai(facts, header, is_response=False)
    if meta.decision is not None:
        event |= _policy(meta.decision)
    event["http_request"] = http.http_request(meta, header.exchange)
    event |= present(dst_endpoint=http.target(line, header.connection))
    return _with_api(event, ai.api(header, operation, facts=facts))


def _response(record: MaskedRecord, meta: ResponseMeta, facts: Facts) -> Event:
    header, line = record.header, meta.request
    operation = facts.operation or facts.rpc_method or f"{line.method} {path_of(line.target)}"
    answer = str(meta.status) if meta.status else "no answer"
    event = _call_frame(
        header,
        (header.protocol, line.method, facts.rpc_method),
        f"{line.method} {path_of(line.target)}{_tail(facts)} -> {answer}",
        client=meta.client,
    )
    event |= _outcome(meta, facts) | _ai(facts, header, is_response=True) | _duration(meta)
    event["http_request"] = http.http_request(meta, header.exchange)
    event["http_response"] = http.http_response(meta)
    event |= present(dst_endpoint=http.target(line, header.connection))
    if event["class_uid"] == ocsf.HTTP_ACTIVITY:
        event |= present(http_status=http.small(meta.status))
    return _with_api(event, ai.api(header, operation, code=meta.status, facts=facts))


def _policy(decision: PolicyDecision) -> Event:
    """OCSF names one policy: the first of those that determined the decision."""
    control = {} if decision.effect == "approval" else _control(_EFFECTS[decision.effect])
    if not decision.policies:
        return control
    name = clip(decision.policies[0], ID_BYTES)
    policy = {"name": name, "uid": name, "version": clip(decision.digest, ID_BYTES), "is_applied": True}
    return control | {"policy": policy | present(desc=clip(decision.reason, LINE_BYTES) or None)}


def _decision(record: MaskedRecord, meta: DecisionMeta) -> Event:
    header, line = record.header, meta.line
    call = (header.protocol, line.method, None)
    what = f"{line.method} {path_of(line.target)}" if meta.tool is None else f"tool call {meta.tool.name}"
    event = _call_frame(header, call, f"{meta.decision} {what}: {meta.reason}")
    denied = meta.decision == "deny"
    event |= ocsf.state(
        status=_FAILURE if denied else _SUCCESS, severity=_MEDIUM if denied else _INFORMATIONAL
    )
    event |= _policy(meta.policy) if meta.policy is not None else {}
    event |= {} if meta.decision == "hold" else _control(_DENIED if denied else _ALLOWED)
    event["http_request"] = http.request_line(line, header.exchange)
    event |= present(dst_endpoint=http.target(line, header.connection))
    return _with_api(event, ai.api(header, f"{line.method} {path_of(line.target)}"))


def _own(record: MaskedRecord, meta: SessionOpenMeta | SessionCloseMeta | HeartbeatMeta) -> Event:
    """What the gateway says of itself, not of a call."""
    match meta:
        case SessionOpenMeta():
            return _lifecycle(record, _START, f"session opened, recognised by {meta.basis}", meta.version)
        case SessionCloseMeta():
            return _lifecycle(record, _STOP, f"session closed ({meta.reason}) after {meta.records} records")
        case HeartbeatMeta():
            count = len(meta.heartbeat.strands)
            return _lifecycle(record, OTHER, f"heartbeat {meta.heartbeat.number} of {count} strands")


def _lifecycle(record: MaskedRecord, activity: int, message: str, version: str | None = None) -> Event:
    header = record.header
    event = ocsf.frame(ocsf.LIFECYCLE, activity, time=unix_ms(header.ts), message=message)
    app = {"name": "agent session", "uid": str(header.session)}
    # The version is the recorder's own: it opened the session and says so in its record.
    return event | ocsf.state(status=_SUCCESS) | {"app": app | present(version=version)}


def _nameless(header: Header, message: str) -> Event:
    """A piece of a call, which does not say what is called."""
    event = _call_frame(header, (header.protocol, None, None), message) | ocsf.state(status=UNKNOWN)
    return _with_api(event, ai.api(header, "unknown"))


def _call_frame(
    header: Header,
    call: tuple[Protocol | None, str | None, str | None],
    message: str,
    *,
    client: str | None = None,
) -> Event:
    class_uid, activity = ocsf.classify(*call)
    event = ocsf.frame(class_uid, activity, time=unix_ms(header.ts), message=message)
    event["src_endpoint"] = http.source(header.principal.id, client)
    return event | present(trace=ocsf.trace(header))


def _with_api(event: Event, api: Event) -> Event:
    # On HTTP Activity `api` belongs to the cloud profile, which needs a provider that we do not know.
    return event | {"api": api} if event["class_uid"] == ocsf.API_ACTIVITY else event


def _ai(facts: Facts, header: Header, *, is_response: bool) -> Event:
    return present(
        ai_model=ai.model(facts, header),
        message_context=ai.message_context(facts, header, is_response=is_response),
    )


def _outcome(meta: ResponseMeta, facts: Facts) -> Event:
    broken = meta.error is not None or not meta.body.complete or facts.error_type is not None
    failed = broken or meta.status == 0 or meta.status >= _FIRST_FAILURE
    failed = failed or facts.rpc_error is not None or facts.is_error is True
    denied = meta.error is not None and meta.error.code in _DENIALS
    severity = _MEDIUM if denied else _LOW if failed else _INFORMATIONAL
    found = ocsf.state(status=_FAILURE if failed else _SUCCESS, severity=severity)
    found["status_code"] = str(meta.status)
    detail = meta.error.code if meta.error else facts.error_type or facts.stop_reason
    return found | present(status_detail=ai.line(detail)) | (_control(_DENIED) if denied else {})


def _control(action: int) -> Event:
    # OCSF numbers them alike: 1 is allowed, 2 is denied and blocked.
    return ocsf.named("action", action, ACTIONS) | ocsf.named("disposition", action, DISPOSITIONS)


def _duration(meta: ResponseMeta) -> Event:
    start, lasted = meta.timing.start // 1_000_000, meta.timing.end // 1_000
    return {"start_time": start, "end_time": start + lasted, "duration": lasted}


def _tail(facts: Facts) -> str:
    return "".join(f" {word}" for word in (facts.rpc_method, facts.tool, facts.model) if word)


def _signed(event: Event, header: Header, tacho: Event) -> Event:
    event["actor"] = ocsf.actor(header)
    event |= present(ai_agent=ai.agent(header))
    canonical = header.canonical()
    event["attestation_list"] = ocsf.attestation(header, header_hash(canonical))
    return _closed(event, ocsf.metadata(str(header.uid), header), header_block(canonical) | tacho)


def _closed(event: Event, metadata: Event, tacho: Event) -> Event:
    event["metadata"] = metadata | {"profiles": ocsf.profiles(event)}
    event["unmapped"] = {"tacho": tacho}
    return event
