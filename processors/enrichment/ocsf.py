"""Builds the OCSF frame of an event: class, activity, status, who, and the capture chain.

The plain dictionaries of here are what `schemas/masked.py` describes; profiles are named exactly where
the event carries their attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tachograph.processors.enrichment.bounds import ID_BYTES, LINE_BYTES, clip
from tachograph.processors.enrichment.http import small
from tachograph.schemas import ocsf
from tachograph.schemas.event import (
    GENESIS,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
)
from tachograph.schemas.keys import strand_name

__all__ = [
    "API_ACTIVITY",
    "HTTP_ACTIVITY",
    "LIFECYCLE",
    "LOG_NAME",
    "LOG_VERSION",
    "actor",
    "attestation",
    "classify",
    "frame",
    "metadata",
    "named",
    "profiles",
    "state",
    "trace",
]

HTTP_ACTIVITY = 4002
LIFECYCLE = 6002
API_ACTIVITY = 6003
LOG_NAME = "tachograph"
LOG_VERSION = "1"
"""The version of this projection. The product's own would make two releases disagree about one record."""

_PRODUCT = {"name": "Tachograph", "vendor_name": "Tachograph"}
_USER_TYPES = {PrincipalKind.API_KEY: 4, PrincipalKind.GATEWAY: 3}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_API_METHODS = {"POST": 1, "PUT": 3, "PATCH": 3, "DELETE": 4}
_SHA256 = {
    "algorithm_id": 3,
    "algorithm": "SHA-256",
    "encoding_id": 1,
    "encoding": "Hex",
    "serialization_id": 2,
    "serialization": "JCS",
}
_PROFILES: Mapping[str, frozenset[str]] = {
    "ai_operation": frozenset({"ai_agent", "ai_model", "message_context"}),
    "host": frozenset({"actor"}),
    "record_integrity": frozenset({"attestation_list"}),
    "security_control": frozenset({"action_id", "policy"}),
    "trace": frozenset({"trace"}),
}


def classify(protocol: Protocol | None, method: str | None, rpc_method: str | None) -> tuple[int, int]:
    """Class and activity of a call: by JSON-RPC method for MCP, by HTTP method for the rest."""
    if protocol in {Protocol.LLM, Protocol.MCP}:
        return API_ACTIVITY, _api_activity(method, rpc_method)
    if method is None:
        return HTTP_ACTIVITY, ocsf.UNKNOWN
    return HTTP_ACTIVITY, ocsf.HTTP_METHODS.get(method, ocsf.OTHER)


def frame(class_uid: int, activity_id: int, *, time: int, message: str) -> dict[str, Any]:
    """The attributes that every event has, status and severity aside."""
    category = class_uid // 1000
    return {
        "category_uid": category,
        "category_name": ocsf.CATEGORIES[category],
        "class_uid": class_uid,
        "class_name": ocsf.CLASSES[class_uid],
        "activity_id": activity_id,
        "activity_name": ocsf.CLASS_ACTIVITIES[class_uid][activity_id],
        "type_uid": ocsf.type_uid(class_uid, activity_id),
        "type_name": ocsf.type_name(class_uid, activity_id),
        "time": time,
        "message": clip(message, LINE_BYTES),
    }


def state(*, status: int, severity: int = 1) -> dict[str, Any]:
    """Status and severity, number and name."""
    return named("status", status, ocsf.STATUSES) | named("severity", severity, ocsf.SEVERITIES)


def named(attribute: str, number: int, captions: Mapping[int, str]) -> dict[str, Any]:
    """Both halves of an enumeration: `x_id` and `x`."""
    return {f"{attribute}_id": number, attribute: captions[number]}


def metadata(uid: str, header: Header | None = None) -> dict[str, Any]:
    """What the event is and how it came here. `profiles` is filled in last, by what the event carries."""
    found: dict[str, Any] = {
        "version": ocsf.OCSF_VERSION,
        "product": _PRODUCT,
        "uid": uid,
        "log_name": LOG_NAME,
        "log_version": LOG_VERSION,
    }
    if header is None:
        return found
    found["original_time"] = header.ts
    if header.exchange:
        found["correlation_uid"] = str(header.exchange)
    if small(header.seq) is not None:
        found["sequence"] = header.seq
    return found


def actor(header: Header) -> dict[str, Any]:
    """Who the gateway verified, in which session; the client's own session id stands beside it."""
    session: dict[str, Any] = {"uid": str(header.session)}
    if header.agent.session:
        session["uid_alt"] = header.agent.session
    found: dict[str, Any] = {"user": _user(header.principal), "session": session}
    if header.principal.issuer:
        session["issuer"] = header.principal.issuer
        found["idp"] = {"name": header.principal.issuer, "issuer": header.principal.issuer}
    return found


def attestation(header: Header, own: str) -> list[dict[str, Any]]:
    """The record's link in its strand: `own`, the hash of its header, and the hash of the one before."""
    found: dict[str, Any] = {
        "uid": str(header.uid),
        "chain_uid": strand_name(header.session, header.epoch),
        "fingerprint": _SHA256 | {"value": own},
    }
    if header.seq > 0 and header.prev != GENESIS:
        before = event_uid(header.session, header.epoch, header.seq - 1)
        found["prev_event"] = {"uid": str(before), "fingerprint": _SHA256 | {"value": header.prev}}
    return [found]


def trace(header: Header) -> dict[str, Any] | None:
    """The W3C trace id. Its span is the client's, whose times we do not know."""
    return {"uid": header.trace.traceparent.split("-")[1]} if header.trace else None


def profiles(event: Mapping[str, Any]) -> list[str]:
    """The profiles whose attributes an event carries."""
    return [name for name, fields in _PROFILES.items() if not fields.isdisjoint(event)]


def _user(principal: Principal) -> dict[str, Any]:
    kind = _USER_TYPES.get(principal.kind, ocsf.UNKNOWN)
    name = clip(principal.id, ID_BYTES)
    return {"uid": name, "name": name} | named("type", kind, ocsf.USER_TYPES)


def _api_activity(method: str | None, rpc_method: str | None) -> int:
    if rpc_method is not None:
        reads = (
            rpc_method.endswith(("/list", "/read", "/get", "/listen", "/discover")) or rpc_method == "ping"
        )
        return 2 if reads else ocsf.OTHER
    if method is None:
        return ocsf.UNKNOWN
    return 2 if method in _READS else _API_METHODS.get(method, ocsf.OTHER)
