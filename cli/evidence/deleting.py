"""A deletion from its plan to its end, in the one order that is lawful, and to be run again after any kill.

Stated, sealed and kept where exports find it, each waited for; only then do data keys and documents go.
What is stored is held against its leaf first. What was altered goes too, and no statement names it: its
record is MISSING from then on, for everybody to see.
Where it stands is read from the log and the store, never from a file of its own.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields

from tachograph.cli.errors import PartDown
from tachograph.cli.evidence.store import BATCH, Store
from tachograph.forensics.deletion.document import read_statement, statement_document
from tachograph.forensics.deletion.ledger import Ledger
from tachograph.forensics.deletion.plan import (
    About,
    Draft,
    Sealed,
    SealedLog,
    Target,
    drafts,
    in_force,
    may_go,
    shreddable,
)
from tachograph.forensics.deletion.proven import Proven
from tachograph.forensics.log_source import DeadLetter
from tachograph.schemas.deletion import DELETION_TYPES, ERASURE, Statement, stated
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash
from tachograph.schemas.note import NoteSigner

__all__ = ["POINTS", "Deleter", "Done", "Plan"]

POINTS = ("planned", "published", "sealed", "kept", "shredded", "deleted")
"""Between any two of these a run may be killed, and the next one finishes what it began."""
COMPARED = 100
"""Documents of one call of which the bytes are asked for; each has at most 2 MiB."""
KEPT_SECONDS, LOOK_SECONDS = 60.0, 0.2
"""How long the sink may take to store a statement, and how often that is looked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be stated, what already is, and what no statement can name."""

    drafts: tuple[Draft, ...] = ()
    sealed: tuple[Sealed, ...] = ()
    present: frozenset[str] = frozenset()
    """Uids of the documents that are there and proven, or stated already."""
    altered: tuple[Target, ...] = ()
    """Documents that are not what was sealed. They go and nothing names them: their records are MISSING."""
    asked: frozenset[uuid.UUID] = frozenset()
    """Sessions that somebody asked to erase: their data keys go, whatever is left to state."""
    staying: frozenset[str] = frozenset()
    """Uids of leaves of the same logs that are not wanted."""
    missing: int = 0
    """Leaves whose document is gone and that nothing names: they stay MISSING."""
    unsealed: int = 0
    """Documents of a session without a leaf: they stay."""

    @property
    def statements(self) -> list[Statement]:
        return [*(item.statement for item in self.sealed), *(item.statement for item in self.drafts)]


@dataclass(slots=True)
class Done:
    """What a run has come to, for people and programs."""

    statements: int = 0
    records: int = 0
    keys: int = 0
    documents: int = 0
    indices: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    missing: int = 0
    unsealed: int = 0

    def add(self, part: Done) -> None:
        """One day's to the whole."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(part, item.name))


@dataclass(frozen=True, slots=True)
class Deleter:
    """Wires log, store and key. `at` is told each of `POINTS` when it is reached; `tell` is for people."""

    store: Store
    ledger: Ledger
    signer: NoteSigner
    tell: Callable[[str], None]
    wait_seconds: float
    letters: Callable[[Collection[str]], Iterable[DeadLetter]] = lambda _: ()
    """The dead letters of these uids: what OpenSearch refused."""
    at: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep

    def plan(self, logs: Sequence[SealedLog], about: About, wanted: Callable[[Leaf], bool]) -> Plan:
        """What is to be done about the wanted leaves of these logs."""
        ours = [(log.origin, leaf) for log in logs for leaf in log.leaves if stated(leaf) and wanted(leaf)]
        proven = self._proven([leaf for _, leaf in ours])
        sessions = {leaf.session for _, leaf in ours}
        sealed = [item for item in self.statements(logs) if item.statement.session in sessions]
        named = in_force(sealed)
        found = [
            item
            for log in logs
            for item in drafts(log, about, present=proven.names, named=named, wanted=wanted)
        ]
        lawful = {(leaf.uid, leaf.leaf) for origin, leaf in ours if (origin, stated(leaf)) in named}
        unstated = {str(leaf.uid) for _, leaf in ours if (leaf.uid, leaf.leaf) not in lawful}
        targets = dict.fromkeys(_target(leaf) for _, leaf in ours)
        known = {str(leaf.uid) for log in logs for leaf in log.leaves}
        return Plan(
            tuple(found),
            tuple(sealed),
            present=frozenset(proven.names) | (proven.altered - unstated),
            altered=tuple(item for item in targets if item.uid in proven.altered & unstated),
            asked=frozenset(item for item in sessions if item and about.type == ERASURE),
            staying=frozenset(known.difference(str(leaf.uid) for _, leaf in ours)),
            missing=len(unstated - proven.names.keys() - proven.altered),
        )

    def _proven(self, leaves: Sequence[Leaf]) -> Proven:
        """Every stored document of these leaves, compared with them; a stub by what its dead letter has."""
        proven, targets = Proven.by(leaves), list(dict.fromkeys(map(_target, leaves)))
        for start in range(0, len(targets), COMPARED):
            for uid, document in self.store.stored(targets[start : start + COMPARED]).items():
                proven.take(uid, document)
        for letter in self.letters(frozenset(proven.stubs)) if proven.stubs else ():
            proven.refused(letter.uid, letter.value)
        return proven

    def unfinished(self, logs: Sequence[SealedLog]) -> Plan:
        """What statements have named that is there all the same."""
        sealed = self.statements(logs)
        return Plan((), tuple(sealed), frozenset(self.store.present(may_go(in_force(sealed)))))

    def statements(self, logs: Iterable[SealedLog]) -> list[Sealed]:
        """Every statement of ours that is sealed and kept."""
        leaves = [(log, leaf) for log in logs for leaf in log.leaves
                  if leaf.type in DELETION_TYPES and leaf.index < log.size and leaf.uid]  # fmt: skip
        stored = self.store.stored([_target(leaf) for _, leaf in leaves])
        found: list[Sealed] = []
        for log, leaf in leaves:
            value = stored.get(str(leaf.uid), b"")
            statement = read_statement(value, self.signer.key)
            whole = leaf_hash(value).hex() == leaf.leaf
            if statement is not None and whole and statement.log == log.origin:
                found.append(Sealed(statement, leaf.index))
        return found

    def run(
        self, plan: Plan, *, living: frozenset[uuid.UUID] = frozenset(), whole_days: bool = False
    ) -> Done:
        """Do it: state, wait, shred, delete. Raises `NotSealed`, `LogUnreachable`, `PartDown`, `Refused`."""
        self.at("planned")
        self._state(plan.drafts)
        done = Done(
            statements=len(plan.drafts),
            records=sum(len(item.statement.records) for item in plan.drafts),
            altered=[item.uid for item in plan.altered],
            missing=plan.missing,
            unsealed=plan.unsealed,
        )
        done.keys = self._shred(shreddable(plan.statements, living=living) | plan.asked)
        names = in_force(plan.sealed) | {
            (item.statement.log, entry) for item in plan.drafts for entry in item.statement.records
        }
        rest = [item for item in may_go(names) if item.uid in plan.present]
        targets = list(dict.fromkeys((*plan.altered, *rest)))
        if whole_days:
            targets = self._drop(targets, done, plan.staying)
        self._delete(targets, done)
        return done

    def _state(self, items: Sequence[Draft]) -> None:
        """Published, sealed, and stored by the sink: before that nothing may go."""
        if not items:
            return
        start = self.ledger.end()
        made = [(item.partition, statement_document(item.statement, self.signer)) for item in items]
        offsets = self.ledger.publish(made)
        self.at("published")
        origins = {item.partition: item.statement.log for item in items}
        self.tell(f"{len(made)} statements are published; waiting for the next checkpoint")
        wanted = {origins[partition]: offset for partition, offset in offsets.items()}
        self.ledger.wait(wanted, start=start, seconds=self.wait_seconds)
        self.at("sealed")
        self._wait_kept([Target(str(item.uid), item.type, item.day) for _, item in made])
        self.at("kept")

    def _wait_kept(self, targets: Sequence[Target]) -> None:
        for _ in range(int(KEPT_SECONDS / LOOK_SECONDS)):
            if len(self.store.present(targets)) == len({item.uid for item in targets}):
                return
            self.sleep(LOOK_SECONDS)
        raise PartDown(
            f"nothing was deleted: the sink has not stored the statements within {KEPT_SECONDS:g} s;"
            " `tacho status` says whether it runs. Run the same command again"
        )

    def _shred(self, sessions: set[uuid.UUID]) -> int:
        names = self.ledger.keys_of(sessions) if sessions else []
        self.ledger.shred(names)
        if sessions:
            self.ledger.release(sessions)
        self.at("shredded")
        return len(names)

    def _delete(self, targets: Sequence[Target], done: Done) -> None:
        for start in range(0, len(targets), BATCH):
            done.documents += self.store.delete(targets[start : start + BATCH])
            self.tell(f"deleted {min(start + BATCH, len(targets))} of {len(targets)} documents")
            self.at("deleted")
        self.store.refresh()
        self.store.expunge(targets)

    def _drop(self, targets: list[Target], done: Done, staying: frozenset[str]) -> list[Target]:
        """Daily indices in which nothing else is go as they are; returns what is left to delete."""
        left: list[Target] = []
        for family, day in sorted({_place(item) for item in targets}):
            ours = [item for item in targets if _place(item) == (family, day)]
            uids = {item.uid for item in ours}
            self.store.refresh()
            there = list(self.store.ids(f"{self.store.prefix}-{family}-{day}"))
            if there and uids.issuperset(there):
                self.store.drop(family, day)
                done.documents += len(there)
                done.indices.append(f"{self.store.prefix}-{family}-{day}")
                self.at("deleted")
            else:
                left += ours
                done.unsealed += len(set(there) - uids - staying)
        return left


def _place(target: Target) -> tuple[str, str]:
    return ("messages" if target.type == "message" else "events"), target.day


def _target(leaf: Leaf) -> Target:
    return Target(str(leaf.uid), leaf.type, leaf.day or "")
