"""One message of the masked topic as a sink sees it: an identity, an index, and bytes that nobody changes.

What routes a record stands in its Kafka headers; the value is passed through. It is looked at only for what
would break the call it travels in: a line feed (bulk bodies are lines) and nesting (see `MAX_DEPTH`).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tachograph.schemas.deletion import DELETION_TYPES

__all__ = ["MAX_DEPTH", "Message", "Record", "index_of", "nesting", "read_message", "why_unsendable"]

MAX_DEPTH = 64
"""The deepest JSON that is sent. OpenSearch 3.4 ends with a StackOverflowError, the whole node, on a
`flat_object` of some 700 levels, so this bound protects the cluster and not only the mapping."""
MESSAGE_TYPE = "message"

_DAY = re.compile(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}", re.ASCII)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKET = re.compile(rb"[^\[\]{}]+")


@dataclass(frozen=True, slots=True)
class Message:
    """What Kafka handed over, before anything is believed. `repr` shows no content."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def origin(self) -> tuple[str, int]:
        """The partition it came from."""
        return self.topic, self.partition

    def __repr__(self) -> str:
        return f"Message({self.topic}[{self.partition}]@{self.offset}, value=<{len(self.value)} bytes>)"


@dataclass(frozen=True, slots=True)
class Record:
    """A message that has an identity and an index. `defect` names why its value must not be sent as it is."""

    message: Message
    uid: str
    kind: str
    index: str
    defect: str | None = None

    @property
    def value(self) -> bytes:
        return self.message.value


def read_message(message: Message, *, index_prefix: str) -> Record | str:
    """The record in a message, or the reason why there is none: no identity, so no document can stand for it.

    A broken day does not cost the identity: the record then goes to the day Kafka received it, with a defect.
    """
    headers = dict(message.headers)
    uid = _uid(headers.get("uid", b""))
    if uid is None:
        return "no-uid"
    kind = headers.get("type", b"").decode("ascii", "replace")
    day = _day(headers.get("day", b""))
    defect = "no-day" if day is None else why_unsendable(message.value)
    index = index_of(index_prefix, kind, day or _received(message.timestamp_ms))
    return Record(message, uid, kind, index, defect)


def index_of(prefix: str, kind: str, day: str) -> str:
    """Where a document of this type and day lies. Statements of deletions lie by themselves: they stay."""
    if kind in DELETION_TYPES:
        return f"{prefix}-deletions"
    return f"{prefix}-{'messages' if kind == MESSAGE_TYPE else 'events'}-{day}"


def why_unsendable(value: bytes) -> str | None:
    """A reason why these bytes may not go into a bulk body, or None. Does not check that they are JSON."""
    if b"\n" in value:
        return "line-feed"
    if not value.startswith(b"{"):
        return "not-an-object"
    return "too-deep" if nesting(value) > MAX_DEPTH else None


def nesting(value: bytes) -> int:
    """How deep a JSON text nests: exact above `MAX_DEPTH`, an upper bound below it (two counts)."""
    opened = value.count(b"{") + value.count(b"[")
    if opened <= MAX_DEPTH:
        return opened
    deepest = depth = 0
    for bracket in _NOT_BRACKET.sub(b"", _STRING.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _uid(text: bytes) -> str | None:
    try:
        uid = str(uuid.UUID(text.decode("ascii")))
    except ValueError:
        return None
    return uid if uid.encode() == text else None


def _day(text: bytes) -> str | None:
    day = text.decode("ascii", "replace")
    if not _DAY.fullmatch(day):
        return None
    try:
        date.fromisoformat(day.replace(".", "-"))
    except ValueError:
        return None
    return day


def _received(timestamp_ms: int) -> str:
    seconds = min(max(timestamp_ms, 0) // 1000, 253_402_300_799)  # the last second of the year 9999
    return f"{datetime.fromtimestamp(seconds, UTC):%Y.%m.%d}"
