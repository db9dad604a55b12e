"""One masked record in, its OCSF events out: pure, the same bytes on every run, and never an exception.

A record gives one wire document, further ones for the slices of a long body, and, for an LLM request, one
for each message of its conversation. What fails on content fails to the document without it, and says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Container, Iterator
from typing import Any

import orjson

from tachograph.processors.enrichment import bounds
from tachograph.processors.enrichment.clock import day_of, day_start_ms, index_day
from tachograph.processors.enrichment.conversation import Link, chain
from tachograph.processors.enrichment.events import bare_event, message_event, part_event, wire_event
from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.reading import read
from tachograph.processors.enrichment.shapes import decode
from tachograph.processors.record import Emitted, MaskedRecord
from tachograph.schemas.derived import message_uid, part_uid
from tachograph.schemas.event import Header
from tachograph.schemas.payload import RequestMeta, ResponseMeta

__all__ = ["enrich"]


def enrich(record: MaskedRecord, *, known: Container[uuid.UUID] = frozenset()) -> tuple[Emitted, ...]:
    """The events of one record, its own wire document first; `uid`, `session`, `day` and JSON of each.

    `known` are uids of messages that need not be built again; it never touches the record's own document.
    Raises nothing for any content. `value` of each is at most `bounds.RECORD_BYTES` long.
    """
    problem = ""
    for facts in (read, _unread):
        try:
            return tuple(_documents(record, facts(record), known))
        except Exception as error:  # noqa: BLE001 - a record that our own mistake hides would be a lost one
            problem = type(error).__name__
    return (_bare(record, f"only the header could be told ({problem})"),)


def _unread(_: MaskedRecord) -> Facts:
    return Facts(problem="the content could not be told; it is kept as text")


def _documents(record: MaskedRecord, facts: Facts, known: Container[uuid.UUID]) -> Iterator[Emitted]:
    header = record.header
    links = chain(facts.turns, facts.provider or "")
    event = wire_event(record, facts, links)
    time: int = event["time"]
    day = day_of(time)
    text = _text(record, facts)
    value = _whole(event, text)
    parts: list[str] = []
    if value is None:
        rest = _cut(event, record, text)
        # Where nothing was taken out, `chunk` documents hold the whole of a body of chunks already.
        parts = [] if _is_chunked(record) and not links else list(bounds.slices(rest, bounds.BODY_BYTES))
        value = _dump(event, body_parts=len(parts))
    apart = bool(links)
    yield Emitted(header.uid, header.session, header.type.value, index_day(day), value, apart)
    for index, piece in enumerate(parts, start=1):
        yield _part(record, time, (index, len(parts)), piece)
    for link in links:
        name = message_uid(header.session, header.connection, day.isoformat(), link.hash)
        if name not in known:
            yield from _message(record, link, name, day_start_ms(time))


def _text(record: MaskedRecord, facts: Facts) -> str:
    if record.body is None:
        return ""
    return decode(record.body) if facts.rest is None else facts.rest


def _whole(event: dict[str, Any], text: str) -> bytes | None:
    """The document with all of its body, or None where there is no room for that."""
    if not bounds.fits(text, bounds.BODY_BYTES):
        return None
    if text:
        event["unmapped"]["tacho"]["body"] = text
    value = orjson.dumps(event)
    return value if len(value) <= bounds.RECORD_BYTES else None


def _cut(event: dict[str, Any], record: MaskedRecord, text: str) -> str:
    """Give the document as much of the body as there is room for; returns what follows."""
    tacho = event["unmapped"]["tacho"]
    tacho.setdefault("truncated", []).append("body")
    event["metadata"] |= {"is_truncated": True, "untruncated_size": min(record.decoded_len, 2**31 - 1)}
    tacho["body"] = ""
    room = bounds.RECORD_BYTES - len(orjson.dumps(event)) - bounds.LINE_BYTES
    tacho["body"] = next(bounds.slices(text, min(bounds.BODY_BYTES, room)), "")
    return text[len(tacho["body"]) :]


def _dump(event: dict[str, Any], *, body_parts: int) -> bytes:
    if body_parts:
        event["unmapped"]["tacho"]["body_parts"] = body_parts
    return orjson.dumps(event)


def _part(record: MaskedRecord, time: int, place: tuple[int, int], body: str) -> Emitted:
    header = record.header
    uid = part_uid(header.uid, place[0])
    event = part_event(header, uid, time, place=place, body=body)
    return _emit(event, header, uid, "part", record.salts.of(uid) if record.salts else None)


def _message(record: MaskedRecord, link: Link, name: uuid.UUID, time: int) -> Iterator[Emitted]:
    header = record.header
    pieces = list(bounds.slices(decode(link.turn.canonical), bounds.BODY_BYTES))
    for index, body in enumerate(pieces):
        uid = name if index == 0 else part_uid(name, index)
        event = message_event(header, link, uid, time, body=body)
        tacho = event["unmapped"]["tacho"]
        if index:
            tacho["part"] = {"of": str(name), "index": index, "count": len(pieces) - 1}
        elif len(pieces) > 1:
            tacho["body_parts"] = len(pieces) - 1
        yield _emit(event, header, uid, "message", record.salts.of_message(uid) if record.salts else None)


def _is_chunked(record: MaskedRecord) -> bool:
    """Whether this body came in `chunk` records."""
    meta = record.meta
    return isinstance(meta, RequestMeta | ResponseMeta) and meta.body.chunks > 0


def _bare(record: MaskedRecord, problem: str) -> Emitted:
    header = record.header
    event = bare_event(header, problem)
    salt = record.salts.of(header.uid) if record.salts else None
    return _emit(event, header, header.uid, header.type.value, salt)


def _emit(event: dict[str, Any], header: Header, uid: uuid.UUID, kind: str, salt: str | None) -> Emitted:
    if salt is not None:
        event["unmapped"]["tacho"]["salt"] = salt
    return Emitted(uid, header.session, kind, index_day(day_of(event["time"])), orjson.dumps(event))
