"""The stand-in for a record that OpenSearch refused: the same id, so that the session shows no hole.

It holds what identifies the record and why the rest is missing, and the SHA-256 of the value that lies in the
dead letter. That sum makes a stub recognisable: a replay of the same value finds it and changes nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tachograph.schemas.canonical import sha256_hex
from tachograph.sinks.record import Record

__all__ = ["stands_for", "stub"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", re.ASCII)


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_timestamp(value: object) -> bool:
    return isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None


# What is taken over from a refused value, each only in its narrow form: the refusal may be about any of it.
_EVENT: Mapping[str, Callable[[object], bool]] = {"class_uid": _is_count, "time": _is_count}
_TACHO: Mapping[str, Callable[[object], bool]] = {
    "connection": _is_name,
    "direction": _is_name,
    "epoch": _is_uuid,
    "exchange": _is_uuid,
    "protocol": _is_name,
    "seq": _is_count,
    "ts": _is_timestamp,
}


def stub(record: Record, reason: str) -> bytes:
    """The stand-in's bytes: a function of the record and the reason alone. `reason` is a name of ours or
    OpenSearch's error type, never its text."""
    event = _parsed(record.value)
    unmapped = event.get("unmapped")
    tacho = unmapped.get("tacho") if isinstance(unmapped, dict) else None
    kept = _kept(tacho if isinstance(tacho, dict) else {}, _TACHO)
    session = (record.message.key or b"").decode("ascii", "replace")
    kept |= {"type": record.kind if _is_name(record.kind) else "unknown"}
    kept |= {"session": session} if _is_uuid(session) else {}
    kept |= {
        "stub": {"reason": reason, "bytes": len(record.value), "sha256": sha256_hex(record.value)},
        "withheld": "not-indexed",
    }
    document = {"time": record.message.timestamp_ms} | _kept(event, _EVENT)
    document |= {"metadata": {"uid": record.uid}, "unmapped": {"tacho": kept}}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def stands_for(stored: bytes, record: Record) -> bool:
    """Whether a stored document is the stub of exactly this record's value."""
    value: Any = _parsed(stored)
    for name in ("unmapped", "tacho", "stub", "sha256"):
        value = value.get(name) if isinstance(value, dict) else None
    return bool(value == sha256_hex(record.value))


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _kept(source: dict[str, Any], wanted: Mapping[str, Callable[[object], bool]]) -> dict[str, Any]:
    return {name: source[name] for name, fits in wanted.items() if name in source and fits(source[name])}
