"""Which leaves may be without their documents: those that a proven and validly signed statement names.

A statement counts only for leaves of its own log that stand before it there: whoever may delete cannot state
so in advance. It says nothing about what is still there.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from tachograph.forensics.bundle.content import Line
from tachograph.forensics.bundle.reader import Opened
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import Document, Unreadable, read_document
from tachograph.forensics.verify.policy import Trusted, TrustPolicy
from tachograph.forensics.verify.report import Findings, State
from tachograph.schemas.deletion import DELETION_TYPES, ERASURE, Stated, Statement, stated, statement_text
from tachograph.schemas.errors import MalformedRecord, ProofBroken, SignatureBroken
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import check_inclusion, leaf_hash
from tachograph.schemas.note import open_note

__all__ = ["Deletions", "read_deletions"]


@dataclass(slots=True)
class Deletions:
    """What was lawfully deleted of a session, by log and name; its state, and the statement's index."""

    session: str
    named: dict[tuple[str, Stated], list[tuple[State, int]]] = field(default_factory=dict)
    names: set[uuid.UUID] = field(default_factory=set)
    """What the deleted records named: messages and parts that are no less to be there than others."""
    nameless: bool = False
    """Whether a statement does not say what its records named."""

    def state(self, log: str | None, leaf: Leaf) -> State:
        """EXPIRED or ERASED where a statement after this leaf names it, else MISSING."""
        entry = stated(leaf)
        if log is None or entry is None or str(leaf.session) != self.session:
            return State.MISSING
        after = [state for state, index in self.named.get((log, entry), ()) if index > leaf.index]
        return min(after, default=State.MISSING, key=lambda state: state is State.EXPIRED)

    def unnamed(self, lines: Sequence[Line]) -> int:
        """How many records a statement names that no line stands for."""
        ours = [line for line in lines if line.leaf is not None and str(line.leaf.session) == self.session]
        there = {(line.log, stated(line.leaf)) for line in ours if line.leaf is not None}
        return sum(name not in there for name in self.named)


def read_deletions(opened: Opened, policy: TrustPolicy, findings: Findings) -> Deletions:
    """Every statement of a bundle that counts. One that is forged is a finding, one not proven is silent
    here: its line is judged as every line is."""
    found = Deletions(opened.session)
    for number, line in enumerate(opened.lines):
        if line.folder != "deletions" or line.document is None:
            continue
        try:
            document = read_document(line.document)
        except Unreadable:
            continue
        statement = _statement(document, opened.session, policy.deletions)
        if isinstance(statement, str):
            findings.add(Verdict.DELETION_UNAUTHORISED, f"line {number + 1}", statement)
        elif _proven(opened, line) and statement.log == line.log and line.leaf is not None:
            state = State.ERASED if statement.type == ERASURE else State.EXPIRED
            found.names.update(statement.names or ())
            found.nameless = found.nameless or statement.names is None
            for entry in statement.records:
                found.named.setdefault((statement.log, entry), []).append((state, line.leaf.index))
    return found


def _statement(document: Document, session: str, trusted: Sequence[Trusted]) -> Statement | str:
    """What it says, or why it does not count."""
    note = document.tacho.get("deletion_note")
    try:
        statement = Statement.parse(document.tacho.get("deletion"))
        signed = open_note(note if isinstance(note, str) else "", [item.parsed for item in trusted])
    except (MalformedRecord, SignatureBroken) as error:
        return str(error)
    if not {item.parsed for item in trusted if not item.revoked}.intersection(signed.signers):
        return f"{signed.signers[0].name} is revoked"
    if signed.text != statement_text(statement.canonical()):
        return "the note signs another statement"
    fits = (document.uid, document.type) == (str(statement.uid), statement.type)
    fits = fits and document.type in DELETION_TYPES
    if not fits or statement.session != uuid.UUID(session):
        return "the statement is another's than its document's, or about another session"
    return statement


def _proven(opened: Opened, line: Line) -> bool:
    if line.leaf is None or line.proof is None or line.document is None:
        return False
    said, leaf = opened.checkpoints[line.proof.checkpoint].said, leaf_hash(line.document)
    if leaf.hex() != line.leaf.leaf:
        return False
    try:
        check_inclusion(leaf, line.leaf.index, size=said.size, proof=line.proof.path, root=said.root)
    except ProofBroken:
        return False
    return said.origin == line.log
