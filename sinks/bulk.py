"""The `_bulk` call as bytes: records in, body out; answer in, one verdict a record out. No I/O.

Only `create` is used: a document is never overwritten. An answer is read by position and each position must
name the record's own id; an answer that does not fit is as good as none, and the call is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import orjson

from tachograph.sinks.errors import Unavailable
from tachograph.sinks.record import Record

__all__ = ["FULL_BYTES", "FULL_RECORDS", "Settled", "Verdict", "body", "judge", "settle"]

FULL_BYTES = 5 << 20
"""A body is closed at this size; a record is at most 2 MiB (the topic's bound), so it stays below 10 MiB."""
FULL_RECORDS = 5_000

FILTER_PATH = "errors,items.*._id,items.*.status,items.*.error.type"
"""What of the answer is asked for. Never the error's reason: it may quote the document."""

_NOT_THE_DOCUMENT = frozenset(
    {
        "validation_exception",  # the cluster's shard limit is reached
        "index_closed_exception",
        "invalid_index_name_exception",
        "resource_already_exists_exception",
        "illegal_state_exception",
    }
)


class Verdict(Enum):
    """What one item's answer means for its record."""

    CREATED = "created"
    CONFLICT = "conflict"
    REFUSED = "refused"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Settled:
    """The records of one call by verdict; `refused` and `retry` with the error's type."""

    created: tuple[Record, ...]
    conflicts: tuple[Record, ...]
    refused: tuple[tuple[Record, str], ...]
    retry: tuple[tuple[Record, str], ...]


def body(documents: Iterable[tuple[Record, bytes]]) -> bytes:
    """The body that creates each record's document from exactly these bytes; ids need no escape."""
    lines: list[bytes] = []
    for record, source in documents:
        lines.append(b'{"create":{"_index":"%b","_id":"%b"}}' % (record.index.encode(), record.uid.encode()))
        lines.append(source)
    lines.append(b"")
    return b"\n".join(lines)


def judge(status: int, kind: str) -> Verdict:
    """The verdict for one item. 401, 403 and 404 are the operator's to mend, so they wait like a 503."""
    if status in {200, 201}:
        return Verdict.CREATED
    if status == 409:
        return Verdict.CONFLICT
    if status in {400, 413} and kind not in _NOT_THE_DOCUMENT:
        return Verdict.REFUSED
    return Verdict.RETRY


def settle(records: Sequence[Record], answer: bytes) -> Settled:
    """Read an answer by position. Raises `Unavailable` when it is torn or not the answer to these records."""
    items = _items(answer)
    if len(items) != len(records):
        raise Unavailable(f"bulk answer: expected {len(records)} items, got {len(items)}")
    sorted_by: dict[Verdict, list[tuple[Record, str]]] = {verdict: [] for verdict in Verdict}
    for record, (uid, status, kind) in zip(records, items, strict=True):
        if uid != record.uid:
            raise Unavailable("bulk answer: an item names another document than the one sent at its place")
        sorted_by[judge(status, kind)].append((record, kind or str(status)))
    return Settled(
        created=tuple(record for record, _ in sorted_by[Verdict.CREATED]),
        conflicts=tuple(record for record, _ in sorted_by[Verdict.CONFLICT]),
        refused=tuple(sorted_by[Verdict.REFUSED]),
        retry=tuple(sorted_by[Verdict.RETRY]),
    )


def _items(answer: bytes) -> list[tuple[str, int, str]]:
    try:
        items = orjson.loads(answer)["items"]
        return [_item(item["create"]) for item in items]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise Unavailable("bulk answer: torn, or not of the expected shape") from None


def _item(item: dict[str, object]) -> tuple[str, int, str]:
    error = item.get("error")
    kind = error.get("type", "") if isinstance(error, dict) else ""
    status = item["status"]
    if not isinstance(status, int):
        raise TypeError("status")
    return str(item["_id"]), status, str(kind)
