"""Published checkpoints as documents: one for each signed text, with every signature line that came. No I/O.

The id is the SHA-256 of the text, which is also what a time stamp is over. A document grows with what is
published later; it is written only over the version that was read, so no writer undoes another's work.
Nothing is verified here: the topic and the bundles are the evidence, this is where one looks.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from rfc3161_client import decode_timestamp_response

from tachograph.schemas.checkpoint import STAMPED, Checkpoint
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.merkle import HASH_BYTES
from tachograph.schemas.note import MAX_NOTE_BYTES, merged, named
from tachograph.sinks.errors import Unavailable

__all__ = [
    "Entry",
    "Publication",
    "Stored",
    "ask_body",
    "check_written",
    "document",
    "grown",
    "read_publication",
    "read_stored",
    "write_body",
]

_WRITTEN = frozenset({200, 201})
_NO_INDEX = "index_not_found_exception"
"""Nothing was published yet; any other error of an item says that nothing is known about it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of the checkpoints topic: a note, or None for the time stamp over the text of this id."""

    uid: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one checkpoint: the log's note with all signature lines."""

    note: str
    stamped: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as the index has it, and the version that may be written over."""

    entry: Entry | None
    version: tuple[int, int]
    """Sequence number and primary term."""


def read_publication(key: bytes | None, value: bytes) -> Publication | None:
    """What a message publishes; None for what no sealing worker wrote."""
    if (key or b"").endswith(STAMPED.encode()):
        try:
            imprint = decode_timestamp_response(value).tst_info.message_imprint.message
        except ValueError:
            return None
        return Publication(imprint.hex(), None) if len(imprint) == HASH_BYTES else None
    try:
        note = value.decode("utf-8")
        text, _ = named(note)
        Checkpoint.parse(text)
    except (MalformedRecord, UnicodeDecodeError):
        return None
    return Publication(_uid(text), note)


def grown(
    before: Mapping[str, Entry], publications: Iterable[Publication]
) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """Every entry after these publications; and the ids of time stamps over no known checkpoint."""
    entries, strays = dict(before), []
    for came in publications:
        known = entries.get(came.uid)
        if came.note is not None:
            entries[came.uid] = Entry(came.note) if known is None else _signed(known, came.note)
        elif known is not None:
            entries[came.uid] = replace(known, stamped=True)
        else:
            strays.append(came.uid)
    return entries, tuple(strays)


def document(entry: Entry) -> bytes:
    """The JSON document of one checkpoint; `signers` are the names on its lines, the log's own first."""
    text, signers = named(entry.note)
    said = Checkpoint.parse(text)
    return orjson.dumps(
        {
            "origin": said.origin,
            "size": said.size,
            "root": base64.b64encode(said.root).decode(),
            "time": said.time,
            "offset": said.offset,
            "signers": signers,
            "stamped": entry.stamped,
            "note": entry.note,
        }
    )


def ask_body(index: str, uids: Sequence[str]) -> bytes:
    """The `_mget` body that asks for these documents, in this order."""
    return orjson.dumps({"docs": [{"_index": index, "_id": uid} for uid in uids]})


def read_stored(uids: Sequence[str], answer: bytes) -> dict[str, Stored]:
    """The documents that are there. Raises `Unavailable` where the answer is torn or does not know."""
    found: dict[str, Stored] = {}
    for uid, item in zip(uids, _items(answer, "docs", uids), strict=True):
        if item.get("found"):
            found[uid] = Stored(_entry(uid, item.get("_source")), _version(item))
        elif (kind := _error(item)) and kind != _NO_INDEX:
            raise Unavailable(f"mget answer: {kind}")
    return found


def write_body(index: str, entries: Mapping[str, Entry], stored: Mapping[str, Stored]) -> bytes:
    """The `_bulk` body that makes these documents, each new or over the version that was read."""
    lines: list[bytes] = []
    for uid, entry in entries.items():
        place: dict[str, Any] = {"_index": index, "_id": uid}
        if (before := stored.get(uid)) is None:
            lines.append(orjson.dumps({"create": place}))
        else:
            number, term = before.version
            lines.append(orjson.dumps({"index": place | {"if_seq_no": number, "if_primary_term": term}}))
        lines.append(document(entry))
    return b"\n".join((*lines, b""))


def check_written(uids: Sequence[str], answer: bytes) -> None:
    """Raises `Unavailable` unless every document was written: then all are read and written once more."""
    for item in _items(answer, "items", uids):
        if item.get("status") not in _WRITTEN:
            raise Unavailable(f"bulk answer: {item.get('status')} {_error(item)}")


def _items(answer: bytes, name: str, uids: Sequence[str]) -> list[dict[str, Any]]:
    try:
        items = orjson.loads(answer)[name]
        found = [next(iter(item.values())) if name == "items" else item for item in items]
        if [item["_id"] for item in found] != list(uids):
            raise Unavailable("OpenSearch's answer names other documents than those asked for")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, StopIteration):
        raise Unavailable("OpenSearch's answer is torn, or not of the expected shape") from None
    return found


def _error(item: Mapping[str, Any]) -> str:
    error = item.get("error")
    return str(error.get("type", "")) if isinstance(error, dict) else ""


def _version(item: Mapping[str, Any]) -> tuple[int, int]:
    try:
        return int(item["_seq_no"]), int(item["_primary_term"])
    except (KeyError, TypeError, ValueError):
        raise Unavailable("mget answer: a document without its version") from None


def _entry(uid: str, source: Any) -> Entry | None:
    # What stands there under this id but has another text was edited by somebody: it is made anew.
    try:
        text, _ = named(source["note"])
        Checkpoint.parse(text)
        return Entry(source["note"], source["stamped"] is True) if _uid(text) == uid else None
    except (KeyError, TypeError, AttributeError, MalformedRecord):
        return None


def _signed(known: Entry, note: str) -> Entry:
    both = merged(known.note, note)
    return replace(known, note=both) if len(both) <= MAX_NOTE_BYTES else known


def _uid(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
