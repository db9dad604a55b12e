"""From a message of the masked topic to what the log takes of it; the value stays as it is."""

from __future__ import annotations

import re
import uuid
from typing import Any, Protocol

from tachograph.processors.sealing.log import Taken

__all__ = ["MAX_TYPE", "read_headers", "taken"]

MAX_TYPE = 64
_DAY = re.compile(r"\d{4}\.\d\d\.\d\d", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9._-]{0,63}", re.ASCII)
UNKNOWN = "unknown"


class Received(Protocol):
    """What is asked of a Kafka client's message."""

    def headers(self) -> Any: ...
    def key(self) -> Any: ...
    def value(self) -> Any: ...
    def offset(self) -> int | None: ...


def taken(message: Received) -> Taken:
    """Never refuses: a record that does not say what it is becomes a leaf all the same, of type `unknown`."""
    headers = read_headers(message)
    kind, day = _text(headers.get("type")), _text(headers.get("day"))
    return Taken(
        offset=message.offset() or 0,
        value=message.value() or b"",
        uid=_uuid(headers.get("uid")),
        session=_uuid(message.key() if isinstance(message.key(), bytes) else None),
        type=kind if _TYPE.fullmatch(kind) else UNKNOWN,
        day=day if _DAY.fullmatch(day) else None,
    )


def read_headers(message: Received) -> dict[str, bytes]:
    """A message's Kafka headers; of a name that stands twice, the last."""
    said: list[tuple[str, Any]] = message.headers() or []
    return {name: value for name, value in said if isinstance(value, bytes)}


def _text(data: bytes | None) -> str:
    return (data or b"")[: MAX_TYPE + 1].decode("ascii", "replace")


def _uuid(data: bytes | None) -> uuid.UUID | None:
    text = _text(data)
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
