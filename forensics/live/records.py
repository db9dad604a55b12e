"""Leaves and the documents that OpenSearch has for them: each compared, each place of a strand accounted for.

One thing, one finding: a session of which no record is left is named once, and not once for each record.
What is gone or altered is remembered by its uid, all else by a few numbers a strand.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from tachograph.forensics.live.lawful import Lawful
from tachograph.forensics.live.report import LiveReport, Unaudited
from tachograph.forensics.live.strands import Strands
from tachograph.forensics.refused import says_stub
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import WIRE_TYPES, Document, Unreadable, read_document
from tachograph.forensics.verify.heartbeats import read_heartbeats
from tachograph.forensics.verify.logs import seconds
from tachograph.forensics.verify.policy import Trusted
from tachograph.forensics.verify.report import State
from tachograph.schemas.event import EventType
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash

__all__ = ["Records", "Window"]

MAX_STUBS = 10_000
"""Some 1 KiB each, kept until the dead letters are read; a sink ends long before it makes so many."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is audited: from `since` (Unix seconds; 0 for all), one session or all. Heartbeats from before
    `horizon` must hold, and documents from before it must have a leaf; None where that is not known."""

    since: float = 0.0
    session: uuid.UUID | None = None
    horizon: float | None = None
    whole: bool = True
    """Whether all leaves before are among those that are read."""


@dataclass(slots=True)
class _Session:
    opened: bool = False
    """Whether a leaf of its first record is in the window."""
    present: int = 0
    lost: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Unlawfully gone: type and log by uid."""
    leaves: set[bytes] = field(default_factory=set)
    """The uids of leaves that no document stands for, for whatever reason."""


@dataclass(slots=True)
class Records:
    """Everything that passes by in one audit."""

    report: LiveReport
    lawful: Lawful
    gateways: Sequence[Trusted] | None
    window: Window
    strands: Strands = field(init=False)
    sessions: dict[uuid.UUID, _Session] = field(default_factory=dict)
    altered: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By uid: the leaf hash of what is stored instead, and the session."""
    stubs: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Of those, what says that it is a stub: its leaf's hash, and its bytes."""
    stored: Counter[str] = field(default_factory=Counter)
    """By index: documents of the window that have a leaf."""
    certificates: dict[uuid.UUID, Document] = field(default_factory=dict)
    """By the session of the boot."""
    _beats: list[Document] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.strands = Strands(self.report.findings, windowed=not self.window.whole)

    def wants(self, leaf: Leaf) -> bool:
        """Whether its document is asked for."""
        session = self.window.session
        return session is None or leaf.session == session or leaf.type == EventType.HEARTBEAT.value

    def passed(self, log: str, leaf: Leaf) -> None:
        """A leaf before the window."""
        self.lawful.passed(log, leaf)

    def known(self, leaf: Leaf) -> None:
        """A leaf that cannot be compared yet: it still stands for its place."""
        if leaf.session is not None and leaf.uid is not None:
            self._session(leaf.session).leaves.add(leaf.uid.bytes)

    def take(self, log: str, leaf: Leaf, document: bytes | None, index: str) -> None:
        """A leaf and what OpenSearch has under its uid in this index."""
        session = self._session(leaf.session or uuid.UUID(int=0))
        session.opened = session.opened or leaf.type == EventType.SESSION_OPEN.value
        uid = str(leaf.uid)
        if document is None:
            self._gone(log, leaf, session)
            return
        digest = leaf_hash(document).hex()
        if digest == leaf.leaf:
            self.report.states[State.PRESENT] += 1
            session.present += leaf.type in WIRE_TYPES
            if self._read(log, leaf, document, session):
                self._count(leaf, document, index)
            return
        self._count(leaf, document, index)
        self.altered[uid] = (digest, str(leaf.session))
        if len(self.stubs) < MAX_STUBS and says_stub(document):
            self.stubs[uid] = (leaf.leaf, document)
        session.present += leaf.type in WIRE_TYPES  # somebody keeps a place warm
        session.leaves.add(uuid.UUID(uid).bytes)

    def settle(self) -> None:
        """After a batch: what its heartbeats say."""
        if self.gateways is None or not self._beats:
            return
        boots = {uuid.UUID(item.session) for item in self._beats}
        openings = [self.certificates[boot] for boot in boots if boot in self.certificates]
        found = read_heartbeats([*openings, *self._beats], self.gateways, self.report.findings)
        self._beats.clear()
        for key, said in found.named.items():
            for item in said:
                if self.window.session in (None, key[0]) and self._counts(item.beat.at):
                    self.strands.told(item.state)

    def uncertified(self) -> set[uuid.UUID]:
        """The boots of this batch's heartbeats whose certificate did not come by."""
        return {uuid.UUID(item.session) for item in self._beats} - set(self.certificates)

    def certified(self, document: bytes, leaf: Leaf) -> None:
        """The first record of a boot, fetched for its certificate."""
        if leaf_hash(document).hex() != leaf.leaf:
            return
        try:
            found = read_document(document)
        except Unreadable:
            return
        self.certificates[uuid.UUID(found.session)] = found

    def again(self, uid: str, leaf: str) -> None:
        """Another leaf of this uid: what is stored may be that one's document, masked by other rules."""
        found = self.altered.get(uid)
        if found is not None and found[0] == leaf:
            del self.altered[uid]
            self.stubs.pop(uid, None)
            self.report.remasked += 1

    def refused(self, uid: str, value: bytes) -> None:
        """What OpenSearch refused; the stored document is its stub. It counts if its leaf was made of it."""
        if uid in self.stubs and leaf_hash(value).hex() == self.stubs[uid][0]:
            del self.stubs[uid], self.altered[uid]
            self.report.stubs += 1

    def finish(self) -> None:
        """Name what is altered, gone or missing."""
        findings, states = self.report.findings, self.report.states
        states[State.MISSING] += len(self.altered)
        for uid, (_, whose) in self.altered.items():
            where = f"session {whose}, record {uid}"
            text = "it says that it is a stub, and no dead letter proves it" if uid in self.stubs else ""
            findings.add(Verdict.RECORD_ALTERED, where, text or "its bytes are not those of its leaf")
        for unseen in self.strands.judge(self._leaves_of):
            findings.add(Verdict.SESSION_MISSING, f"session {unseen}", "a heartbeat names it, no leaf does")
        for name, session in self.sessions.items():
            states[State.MISSING] += len(session.lost)
            self._name_lost(name, session)
        self.report.strands, self.report.unattested = len(self.strands), self.strands.unattested

    def _name_lost(self, name: uuid.UUID, session: _Session) -> None:
        findings = self.report.findings
        wire = any(kind in WIRE_TYPES for kind, _ in session.lost.values())
        if wire and session.opened and not session.present:
            text = f"{len(session.lost)} leaves and not one document"
            findings.add(Verdict.SESSION_MISSING, f"session {name}", text)
            return
        for uid, (kind, _) in session.lost.items():
            where = f"session {name}, record {uid}"
            findings.add(Verdict.DOCUMENT_MISSING, where, f"{kind}: a leaf and no document")

    def _gone(self, log: str, leaf: Leaf, session: _Session) -> None:
        uid = str(leaf.uid)
        if leaf.uid is not None:
            session.leaves.add(leaf.uid.bytes)
        state = self.lawful.state(log, leaf)
        if state is None:
            session.lost[uid] = (leaf.type, log)
            return
        # Another leaf of the same record stands before this one, and so before the statement too.
        also = session.lost.get(uid, ("", ""))[1] == log
        if also:
            del session.lost[uid]
        self.report.states[state] += 1 + also
        self.report.unaudited[Unaudited.DELETED] += 1 + also

    def _read(self, log: str, leaf: Leaf, data: bytes, session: _Session) -> bool:
        """Whether it is, as far as that can be told, the first leaf of its record."""
        where = f"{log}, leaf {leaf.index}"
        try:
            document = read_document(data)
        except Unreadable as error:
            self.report.findings.add(error.verdict, where, str(error))
            session.leaves.add(uuid.UUID(str(leaf.uid)).bytes)
            return True
        said = (str(leaf.uid), str(leaf.session), leaf.type)
        if said != (document.uid, document.session, document.type):
            self.report.findings.add(Verdict.LEAF_DISAGREES, where, "uid, session or type is another")
        if document.header is None or document.canonical is None:
            return True
        if document.type == EventType.SESSION_OPEN.value and "boot" in document.tacho:
            self.certificates[document.header.session] = document
        if document.type == EventType.HEARTBEAT.value:
            self._beats.append(document)
        if self.window.session in (None, document.header.session):
            return self.strands.add(document.header, document.canonical)
        return True

    def _count(self, leaf: Leaf, document: bytes, index: str) -> None:
        """Count what a question for the documents of the window would find."""
        if self.window.horizon is None or self.window.session not in (None, leaf.session):
            return
        try:
            time = orjson.loads(document)["time"]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(time, int) and self.window.since * 1000 <= time < self.window.horizon * 1000:
            self.stored[index] += 1

    def _counts(self, at: str) -> bool:
        horizon = self.window.horizon
        return horizon is not None and seconds(at) < horizon

    def _session(self, name: uuid.UUID) -> _Session:
        return self.sessions.setdefault(name, _Session())

    def _leaves_of(self, session: uuid.UUID) -> set[bytes] | None:
        found = self.sessions.get(session)
        return None if found is None else found.leaves
