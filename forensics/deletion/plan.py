"""What a deletion has to state and what it may delete: pure over leaves, statements and what is still there.

A record that is gone already is never named: that would make tampering lawful. What an earlier run has
stated is not stated again, so a run that was killed goes on where it stopped. A statement says too what its
records named: with their documents goes the only trace of which messages and parts there have to be.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tachograph.schemas.deletion import (
    DELETION_TYPES,
    ERASURE,
    MAX_NAMES,
    MAX_STATED,
    DeletionType,
    Stated,
    Statement,
    stated,
)
from tachograph.schemas.leaf import Leaf

__all__ = [
    "About",
    "Draft",
    "Present",
    "Sealed",
    "SealedLog",
    "Target",
    "drafts",
    "in_force",
    "may_go",
    "shreddable",
]

Name = tuple[str, Stated]
"""A log's origin and how a statement names one of its records."""
Present = Mapping[str, Collection[uuid.UUID]]
"""The documents that are there, by uid, and the documents that each of them names."""


@dataclass(frozen=True, slots=True)
class About:
    """Who deletes, when (RFC 3339 in UTC, whole seconds), and why."""

    type: DeletionType
    at: str
    by: str
    rule: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SealedLog:
    """One partition's log: the leaves that were looked for, and the size of its last checkpoint."""

    origin: str
    partition: int
    size: int
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A statement and its place in its log."""

    statement: Statement
    index: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement that is still to be published, and the partition that it belongs to."""

    statement: Statement
    partition: int


@dataclass(frozen=True, slots=True)
class Target:
    """One document, by what names its index."""

    uid: str
    type: str
    day: str


def drafts(
    log: SealedLog,
    about: About,
    *,
    present: Present,
    named: Container[Name],
    wanted: Callable[[Leaf], bool],
) -> Iterator[Draft]:
    """Statements for every wanted leaf that has its document and is not named yet, by session.

    A record that Kafka held twice is sealed twice: both its leaves lose their document, so both are named.
    """
    found: dict[uuid.UUID, list[Stated]] = defaultdict(list)
    for leaf in {leaf.index: leaf for leaf in sorted(log.leaves, key=lambda leaf: leaf.index)}.values():
        entry = stated(leaf)
        if entry is None or leaf.session is None or not wanted(leaf):
            continue
        if str(leaf.uid) in present and (log.origin, entry) not in named:
            found[leaf.session].append(entry)
    for session, entries in found.items():
        for records, names in _portions(entries, present):
            statement = Statement(
                type=about.type,
                at=about.at,
                by=about.by,
                rule=about.rule,
                reason=about.reason,
                session=session,
                log=log.origin,
                records=records,
                names=names,
            )
            yield Draft(statement, log.partition)


def _portions(
    entries: Iterable[Stated], present: Present
) -> Iterator[tuple[tuple[Stated, ...], tuple[uuid.UUID, ...]]]:
    """As many records as one statement may hold, and what these name beside each other."""
    records: list[Stated] = []
    names: set[uuid.UUID] = set()
    for entry in entries:
        more = names.union(present[str(entry[3])])
        if records and (len(records) == MAX_STATED or len(more) > MAX_NAMES):
            yield _portion(records, names)
            records, more = [], set(present[str(entry[3])])
        records.append(entry)
        names = more
    yield _portion(records, names)


def _portion(
    records: Sequence[Stated], names: set[uuid.UUID]
) -> tuple[tuple[Stated, ...], tuple[uuid.UUID, ...]]:
    return tuple(records), tuple(sorted(names - {entry[3] for entry in records}))


def in_force(statements: Iterable[Sealed]) -> set[Name]:
    """The records that statements name which stand behind them in the same log."""
    return {
        (item.statement.log, entry)
        for item in statements
        for entry in item.statement.records
        if entry[0] < item.index
    }


def may_go(names: Iterable[Name]) -> list[Target]:
    """The documents of these records, each once; a session's first goes last, as it says whose it is."""
    ordered = sorted(names, key=lambda name: name[1][0], reverse=True)
    return list(dict.fromkeys(Target(str(uid), kind, day) for _, (_, day, kind, uid) in ordered))


def shreddable(statements: Sequence[Statement], *, living: Container[uuid.UUID] = ()) -> set[uuid.UUID]:
    """The sessions whose data keys go too: those that were erased or expired, where nothing newer is left."""
    return {
        item.session
        for item in statements
        if item.type in DELETION_TYPES and (item.type == ERASURE or item.session not in living)
    }
