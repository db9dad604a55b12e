"""What OpenSearch holds under an id, as the bytes it holds: the answer of `_mget` read without re-encoding.

A conflict is decided by comparing bytes, so the answer may not go through a JSON object and back. OpenSearch
copies a stored `_source` into the answer unchanged; here it is cut out again, document after document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import orjson

from tachograph.sinks.errors import Unavailable
from tachograph.sinks.record import Record

__all__ = ["mget_body", "read_stored"]

# Only the end of a value is wanted; numbers stay text, so that their size is nobody's limit.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_HEAD = b'{"docs":['
# Our ids hold no escape, those that others wrote may. Between id and `found` stand numbers, a routing, and
# under `_ignored` the fields that the mapping could make nothing of: a document is kept and sealed with them.
_STRING = rb'"(?:[^"\\]|\\.)*"'
_ID = rb'\{"_index":"[^"]*","_id":(%b)' % _STRING
_META = rb'(?:,"_[a-z_]+":(?:-?\d+|%b|\[%b(?:,%b)*\]))*' % (_STRING, _STRING, _STRING)
_FOUND = re.compile(_ID + _META + rb',"found":true,"_source":')
_MISSING = re.compile(_ID + rb',(?:"found":false|"error":)')


def mget_body(records: Sequence[Record]) -> bytes:
    """Asks for each record's document, in this order."""
    return orjson.dumps({"docs": [{"_index": record.index, "_id": record.uid} for record in records]})


def read_stored(records: Sequence[Record], answer: bytes) -> tuple[bytes | None, ...]:
    """Each record's stored bytes, None where there is no document. Raises `Unavailable` for a torn answer."""
    if not answer.startswith(_HEAD):
        raise Unavailable("mget answer: not of the expected shape")
    # ISO 8859-1 keeps one character a byte, so an index into the text is an offset into the bytes.
    text = answer.decode("iso-8859-1")
    position = len(_HEAD)
    found: list[bytes | None] = []
    for record in records:
        source, position = _document(record, answer, text, position)
        found.append(source)
        position += 1  # the comma, or the closing bracket
    if answer[position - 1 :] != b"]}":
        raise Unavailable("mget answer: more documents than were asked for, or torn")
    return tuple(found)


def _document(record: Record, answer: bytes, text: str, start: int) -> tuple[bytes | None, int]:
    missing = _MISSING.match(answer, start)
    head = missing or _FOUND.match(answer, start)
    if head is None or not _is(head[1], record.uid):
        raise Unavailable("mget answer: an item is not the document asked for at its place")
    if missing:
        return None, _end(text, start)
    source = head.end()
    same = source + len(record.value)
    if answer.startswith(record.value, source) and answer.startswith(b"}", same):
        return record.value, same + 1
    end = _end(text, source)
    return answer[source:end], end + 1


def _is(told: bytes, uid: str) -> bool:
    """Whether a JSON string is this id."""
    try:
        return bool(orjson.loads(told) == uid)
    except orjson.JSONDecodeError:
        return False


def _end(text: str, start: int) -> int:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        raise Unavailable("mget answer: torn") from None
