"""What was lawfully deleted of a session, as `tacho show` tells it: how many records, by whom, when and why.

It tells what the stored statements say. That they are signed and sealed is for `tacho verify` to check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tachograph.schemas.deletion import ERASURE, Statement
from tachograph.schemas.errors import MalformedRecord

__all__ = ["gone", "without_names"]

_ALIKE = ("type", "at", "by", "rule", "reason")
"""One run states records of several logs, and 5,000 at a time: what is alike in these is told as one."""


def gone(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each run that deleted records of the session, in the order of the documents."""
    counts: Counter[tuple[str | None, ...]] = Counter()
    unread = 0
    for source in sources:
        statement = _statement(source)
        if statement is None:
            unread += 1
        else:
            counts[tuple(getattr(statement, name) for name in _ALIKE)] += len(statement.records)
    lines = [_line(count, *alike) for alike, count in counts.items()]
    return lines + [f"{unread} statements of deletions are in no form that this release reads."] * bool(
        unread
    )


def without_names(source: Mapping[str, Any]) -> dict[str, Any]:
    """A statement's document for programs: how many records it names, and not their thousands of names."""
    tacho = source.get("unmapped", {}).get("tacho", {})
    deletion = tacho.get("deletion")
    if not isinstance(deletion, dict):
        return dict(source)
    lists = {name: len(value) for name, value in deletion.items() if isinstance(value, list)}
    return {**source, "unmapped": {"tacho": {**tacho, "deletion": deletion | lists}}}


def _statement(source: Mapping[str, Any]) -> Statement | None:
    try:
        return Statement.parse(source["unmapped"]["tacho"]["deletion"])
    except (KeyError, TypeError, MalformedRecord):
        return None


def _line(
    count: int, kind: str | None, at: str | None, by: str | None, rule: str | None, why: str | None
) -> str:
    state = "ERASED" if kind == ERASURE else "EXPIRED"
    reason = f"; reason: {why}" if why else ""
    return f"{state}: {count} records, by {by} at {at} ({rule}{reason})"
