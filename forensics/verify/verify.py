"""A bundle and a trust policy in, a report out: no network, no service, no clock, and never a traceback.

The order of the checks changes nothing: all that is wrong is found, and the finding with the lowest code is
the verdict. Only a bundle that cannot be believed at all is not looked into (`read_bundle`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from tachograph.forensics.bundle.content import Line
from tachograph.forensics.bundle.reader import Exporters, Note, Opened, Refused, read_bundle
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.deletions import Deletions, read_deletions
from tachograph.forensics.verify.derived import check_named
from tachograph.forensics.verify.documents import WIRE_TYPES, Document, Unreadable, read_document
from tachograph.forensics.verify.heartbeats import APART, TYPES, read_heartbeats
from tachograph.forensics.verify.logs import CLOCK_SKEW_SECONDS, check_logs, ends, seconds
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.report import Findings, RecordState, Report, State, refused
from tachograph.forensics.verify.strands import check_strands, check_stray
from tachograph.forensics.verify.timestamps import check_timestamps
from tachograph.forensics.verify.unasked import unasked
from tachograph.schemas.errors import ProofBroken
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import check_inclusion, leaf_hash

__all__ = ["verify_bundle"]


def verify_bundle(data: bytes, policy: TrustPolicy) -> Report:
    """Judge one bundle by the keys and rules of a policy."""
    try:
        opened = read_bundle(data, _exporters(policy))
    except Refused as error:
        return refused(error.verdict, error.where, error.text)
    findings = Findings()
    last = check_logs(opened, policy, findings)
    stamped = check_timestamps(opened, policy.timestamps, ends(opened), findings)
    work = _Work(opened, policy, findings, read_deletions(opened, policy, findings))
    for number, line in enumerate(opened.lines):
        work.take(number, line)
    work.finish()
    return Report(
        verdict=_overall(findings, work.states),
        session=opened.session,
        records=tuple(work.states),
        findings=tuple(sorted(findings.shown, key=lambda item: item.verdict.code)),
        counts={item.word: findings.counts[item] for item in Verdict if findings.counts[item]},
        sealed=tuple((name, item.said.size, item.said.time or "") for name, item in last.items()),
        stamped=tuple(_stamp(opened.checkpoints[number], at) for number, at in sorted(stamped.items())),
        unchecked=tuple(unasked(opened, policy, nameless=work.deletions.nameless)),
    )


def _overall(findings: Findings, states: list[RecordState]) -> Verdict:
    """Nothing wrong is still less than everything where something was lawfully deleted."""
    gone = any(item.state in (State.EXPIRED, State.ERASED) for item in states)
    return Verdict.REDUCED if gone and not findings.counts else findings.verdict


def _stamp(item: Note, at: datetime) -> tuple[str, int, str]:
    return item.said.origin, item.said.size, f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _exporters(policy: TrustPolicy) -> Exporters:
    return Exporters(
        tuple(item.parsed for item in policy.exporters if not item.revoked),
        tuple(item.parsed for item in policy.exporters if item.revoked),
    )


@dataclass(slots=True)
class _Work:
    """What is known after some lines."""

    opened: Opened
    policy: TrustPolicy
    findings: Findings
    deletions: Deletions
    states: list[RecordState] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    every: list[Document] = field(default_factory=list)
    """Those, and those of the gateways' own sessions."""
    lost: dict[str, str] = field(default_factory=dict)
    """Leaves without a document: type by uid."""
    own: set[str] = field(default_factory=set)
    """Those of them that say that they are of the bundle's session."""
    versions: dict[str, dict[str, Document | None]] = field(default_factory=lambda: defaultdict(dict))
    places: dict[str, list[Leaf]] = field(default_factory=lambda: defaultdict(list))
    wired: bool = False

    def take(self, number: int, line: Line) -> None:
        """One line: its leaf, its proof, its document."""
        where = f"line {number + 1}"
        if line.folder != APART:
            self.wired = self.wired or (line.leaf is not None and line.leaf.type in WIRE_TYPES)
        checkpoint = self._prove(where, line)
        if line.document is None:
            self._missing(where, line)
            return
        digest = leaf_hash(line.document)
        genuine = line.leaf is None or digest.hex() == line.leaf.leaf
        if not genuine:
            self.findings.add(_altered(line), where, "its bytes do not hash to its leaf")
        try:
            document = read_document(line.document)
        except Unreadable as error:
            self.findings.add(error.verdict, where, str(error))
            kind = line.leaf.type if line.leaf else "unknown"
            self._state(line, str(line.leaf.uid) if line.leaf else None, kind, genuine=genuine)
            return
        self._said(where, line, document, checkpoint)
        self.versions[document.uid].setdefault(line.leaf.leaf if line.leaf else digest.hex(), document)
        self._state(line, document.uid, document.type, genuine=genuine)

    def finish(self) -> None:
        """What only all lines together show."""
        for uid, versions in self.versions.items():
            if len(versions) > 1 and (found := _twice(list(versions.values()))) is not None:
                self.findings.add(found, uid, f"it has {len(versions)} documents")
        for log, leaves in self.places.items():
            ordered = sorted(leaves, key=lambda leaf: leaf.index)
            if any(one.index >= two.index or one.offset >= two.offset for one, two in pairwise(ordered)):
                text = "a leaf comes twice, or leaves are not in the order of their offsets"
                self.findings.add(Verdict.LEAF_DISAGREES, log, text)
        ours = [item for item in self.documents if item.session == self.opened.session]
        trusted = self.policy.gateways
        beats = None
        if trusted is not None:
            beats = read_heartbeats(self.every, trusted, self.findings)
        session = uuid.UUID(self.opened.session)
        holes, placed = check_strands(ours, self.lost, self.findings, beats, session)
        stray = [kind for uid, kind in self.lost.items() if uid in self.own and uid not in placed]
        check_stray(stray, self.findings, named=beats is not None)
        self.states += holes
        self.states += check_named(ours, self.deletions.names, self.lost, self.findings)
        if unnamed := self.deletions.unnamed(self.opened.lines):
            self.findings.add(Verdict.RECORD_MISSING, "deletions", f"{unnamed} that they name have no leaf")
        if not self.wired:
            self.findings.add(Verdict.SESSION_MISSING, self.opened.session, "no record and no leaf of it")

    def _prove(self, where: str, line: Line) -> Note | None:
        if line.leaf is None or line.proof is None:
            self.findings.add(Verdict.RECORD_UNSEALED, where, "no checkpoint covers it")
            return None
        self.places[line.log or ""].append(line.leaf)
        item = self.opened.checkpoints[line.proof.checkpoint]
        leaf, said = bytes.fromhex(line.leaf.leaf), item.said
        if said.origin != line.log:
            self.findings.add(Verdict.PROOF_BROKEN, where, "the checkpoint is another log's")
        try:
            check_inclusion(leaf, line.leaf.index, size=said.size, proof=line.proof.path, root=said.root)
        except ProofBroken as error:
            self.findings.add(Verdict.PROOF_BROKEN, where, str(error))
        return item

    def _missing(self, where: str, line: Line) -> None:
        leaf = line.leaf
        if leaf is None:  # the reader lets no such line through
            return
        uid = str(leaf.uid) if leaf.uid else f"{line.log}#{leaf.index}"
        if leaf.uid is not None:
            self.lost[uid] = leaf.type
            self.own |= {uid} if str(leaf.session) == self.opened.session else set()
        state = self.deletions.state(line.log, leaf)
        self.states.append(RecordState(uid, leaf.type, state))
        if state is not State.MISSING:
            return
        self.versions[uid].setdefault(leaf.leaf, None)
        self.findings.add(Verdict.DOCUMENT_MISSING, where, f"{leaf.type} {uid}")

    def _said(self, where: str, line: Line, document: Document, checkpoint: Note | None) -> None:
        self.every.append(document)
        if line.folder == APART:
            spliced = document.type not in TYPES or document.session == self.opened.session
        else:
            self.documents.append(document)
            self.wired = self.wired or document.type in WIRE_TYPES
            spliced = document.session != self.opened.session
        if line.leaf is not None and not _agrees(line.leaf, document):
            self.findings.add(Verdict.LEAF_DISAGREES, where, "uid, session, type or day is another")
        if spliced:
            self.findings.add(Verdict.SESSION_SPLICED, where, "its session is another")
        if not self._ruled(document):
            self.findings.add(Verdict.RULESET_REFUSED, where, "its masking rules are none that are trusted")
        if document.header is None:
            return
        late = 0 if checkpoint is None else seconds(checkpoint.said.time or "") + CLOCK_SKEW_SECONDS
        if checkpoint is not None and seconds(document.header.ts) > late:
            self.findings.add(Verdict.CHECKPOINT_BACKDATED, where, "sealed before it was recorded")

    def _ruled(self, document: Document) -> bool:
        ruleset = document.tacho.get("ruleset")
        if ruleset is None:
            # What is derived is of a record of the wire, which names them; of others only the header is told.
            return document.header is None or "body" not in document.tacho
        known = self.policy.rulesets
        return isinstance(ruleset, str) and ruleset != "" and (known is None or ruleset in known)

    def _state(self, line: Line, uid: str | None, kind: str, *, genuine: bool) -> None:
        if line.folder == APART:  # it proves something of the session and is no record of it
            return
        self.states.append(RecordState(uid, kind, State.PRESENT if genuine else State.MISSING))


def _altered(line: Line) -> Verdict:
    node = hashlib.sha256(b"\x01" + (line.document or b"")).hexdigest()
    confused = line.leaf is not None and node == line.leaf.leaf
    return Verdict.LEAF_NODE_CONFUSION if confused else Verdict.RECORD_ALTERED


def _agrees(leaf: Leaf, document: Document) -> bool:
    said = (str(leaf.uid), str(leaf.session), leaf.type, leaf.day)
    return said == (document.uid, document.session, document.type, document.day.replace("-", "."))


def _twice(versions: list[Document | None]) -> Verdict | None:
    """What it means that one uid has several documents; None where new masking rules explain it."""
    there = [item for item in versions if item is not None]
    if len({item.canonical for item in there}) > 1:
        return Verdict.SESSION_FORKED
    rules = {str(item.tacho.get("ruleset")) for item in there if item.tacho.get("ruleset") is not None}
    explained = len(there) == len(versions) == len(rules) and all(item.header for item in there)
    return None if explained else Verdict.SAME_ID_OTHER_BODY
