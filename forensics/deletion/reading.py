"""Which leaves a deletion is about, read from the logs without building a value of every other leaf."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from tachograph.forensics.deletion.plan import SealedLog
from tachograph.schemas.deletion import DELETION_TYPES
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf

__all__ = ["Wanted", "of_days", "of_sessions", "read_logs", "statements_only"]

Wanted = Callable[[bytes], bool]
"""Whether a stored leaf record is worth reading."""
_SESSION = re.compile(rb'"session":"([0-9a-f-]{36})"')
_DAY = re.compile(rb'"day":"(\d{4}\.\d\d\.\d\d)"')
_TYPES = tuple(f'"type":"{name}"'.encode() for name in sorted(DELETION_TYPES))


class Source(Protocol):
    """What is asked of the seal log."""

    def partitions(self) -> int: ...
    def values(self, partition: int) -> Iterator[bytes]: ...


def statements_only(value: bytes) -> bool:
    """The leaves of deletion statements."""
    return any(name in value for name in _TYPES)


def of_sessions(sessions: Iterable[str]) -> Wanted:
    """All leaves of these sessions, their statements with them."""
    known = {session.encode() for session in sessions}

    def wanted(value: bytes) -> bool:
        found = _SESSION.search(value)
        return found is not None and found[1] in known

    return wanted


def of_days(days: Iterable[str]) -> Wanted:
    """All leaves of these days (`YYYY.MM.DD`), and every statement."""
    known = {day.encode() for day in days}

    def wanted(value: bytes) -> bool:
        found = _DAY.search(value)
        return (found is not None and found[1] in known) or statements_only(value)

    return wanted


def read_logs(
    source: Source, sizes: Callable[[str], int], origin: Callable[[int], str], wanted: Wanted
) -> Iterator[SealedLog]:
    """One log after the other; `sizes` gives that of a log's last checkpoint by its origin."""
    for partition in range(source.partitions()):
        name = origin(partition)
        leaves = [leaf for value in source.values(partition) if wanted(value) and (leaf := _leaf(value))]
        yield SealedLog(name, partition, sizes(name), tuple(leaves))


def _leaf(value: bytes) -> Leaf | None:
    try:
        return Leaf.parse(value)
    except MalformedRecord:
        return None  # no sealing worker wrote it
