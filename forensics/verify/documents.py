"""One document of a bundle: whether it can be read in one way only, and what it says it is.

Its bytes are what was hashed; here they must also mean one thing. The capture header stands verbatim under
`unmapped.tacho`, and its canonical JSON is what the next record's `prev` is a hash of.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

import orjson

from tachograph.forensics.verdict import Verdict
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.derived import Naming
from tachograph.schemas.errors import MalformedRecord, RecordError
from tachograph.schemas.event import EventType, Header, event_uid

__all__ = ["HEADER_FIELDS", "MAX_DEPTH", "WIRE_TYPES", "Document", "Unreadable", "read_document"]

MAX_DEPTH = 64
MILLIS_OF_A_DAY = 86_400_000
DATES = 64
"""Days whose dates are remembered: a session has few."""
WIRE_TYPES = frozenset(item.value for item in EventType)
HEADER_FIELDS = tuple(sorted(Header.model_fields))
_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00[01][0-9a-f])*+"'
_TOKENS = re.compile(rf"(?:{_STRING}|[-+.0-9eE]++|[\[\]{{}}:,]|true|false|null)*+")
"""JSON without white space, in whose strings only quotes, backslashes and control characters are escaped."""
_IN_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKET = re.compile(rb"[^\[\]{}]+")


class Unreadable(Exception):
    """A document that does not mean one thing, or not what a document means."""

    def __init__(self, verdict: Verdict, text: str) -> None:
        super().__init__(text)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says. `header` and `canonical` are None where it stands for no record of a strand."""

    uid: str
    type: str
    session: str
    time: int
    tacho: dict[str, Any]
    naming: Naming
    header: Header | None = None
    canonical: bytes | None = None

    @property
    def day(self) -> str:
        """Of its time, in UTC: `YYYY-MM-DD`; nothing for a time that no such day has."""
        return _day(self.time)

    def __repr__(self) -> str:
        return f"Document(uid={self.uid!r}, type={self.type!r})"


def read_document(data: bytes) -> Document:
    """Read one; raises `Unreadable` with its verdict."""
    value = _one_meaning(data)
    try:
        tacho, named, time = value["unmapped"]["tacho"], value["metadata"]["uid"], value["time"]
        uid, kind, session = tacho["uid"], tacho["type"], tacho["session"]
    except (KeyError, TypeError):
        raise Unreadable(Verdict.HEADER_MALFORMED, "it does not say which record it is") from None
    texts = all(isinstance(item, str) for item in (uid, kind, session))
    if not texts or type(time) is not int or uid != named:
        raise Unreadable(Verdict.HEADER_MALFORMED, "it contradicts itself about which record it is")
    try:
        naming = Naming.of(tacho)
    except MalformedRecord as error:
        raise Unreadable(Verdict.HEADER_MALFORMED, str(error)) from None
    if kind in WIRE_TYPES:
        return Document(uid, kind, session, time, tacho, naming, *_header(tacho))
    own = naming.own(_day(time))
    if own is not None and str(own) != uid:
        raise Unreadable(Verdict.UID_FORGED, "its uid does not follow from what it says it is")
    return Document(uid, kind, session, time, tacho, naming)


def _day(millis: int) -> str:
    if not 0 <= millis < 253_402_300_800_000:  # the year 10000
        return ""
    return _date(millis // MILLIS_OF_A_DAY)


@lru_cache(DATES)
def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


def _header(tacho: dict[str, Any]) -> tuple[Header, bytes]:
    if any(type(tacho.get(name)) is float for name in ("v", "seq", "raw_len")):
        raise Unreadable(Verdict.JSON_AMBIGUOUS, "a number of its header is not written as an integer")
    try:
        canonical = canonical_json(_header_of(tacho))
        return Header.parse(canonical), canonical
    except (RecordError, TypeError) as error:
        verdict = Verdict.UID_FORGED if _only_uid(error, tacho) else Verdict.HEADER_MALFORMED
        raise Unreadable(verdict, str(error)[:200]) from None


def _header_of(tacho: dict[str, Any]) -> dict[str, Any]:
    # One that is missing shows: the schema wants it, or writes its default where there was nothing.
    return {name: tacho[name] for name in HEADER_FIELDS if name in tacho}


def _only_uid(error: Exception, tacho: dict[str, Any]) -> bool:
    """Whether everything but the uid is as it should be."""
    if not isinstance(error, MalformedRecord):
        return False
    try:
        parts = Header.model_validate_json(canonical_json(_header_of(tacho)))
    except ValueError:
        return False
    return parts.uid != event_uid(parts.session, parts.epoch, parts.seq)


def _one_meaning(data: bytes) -> dict[str, Any]:
    if _too_deep(data):
        raise Unreadable(Verdict.JSON_AMBIGUOUS, f"it nests deeper than {MAX_DEPTH}")
    try:
        # Written by the same encoder again, it can have had no second key, no spaces and no odd escapes.
        value = orjson.loads(data)
        if data.isascii() and orjson.dumps(value) == data and isinstance(value, dict):
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return _strictly(data)


def _strictly(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except ValueError:
        raise Unreadable(Verdict.JSON_AMBIGUOUS, "it is not JSON with distinct keys") from None
    if not _TOKENS.fullmatch(text) or not isinstance(value, dict):
        raise Unreadable(Verdict.JSON_AMBIGUOUS, "it is not in the form in which documents are written")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({unicodedata.normalize("NFC", name) for name, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def _no_constant(_: str) -> NoReturn:
    raise ValueError("no number")


def _too_deep(data: bytes) -> bool:
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    deepest = depth = 0
    for bracket in _NOT_BRACKET.sub(b"", _IN_STRING.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH
