"""Which leaves may be without their documents: those that a signed statement behind them in their log names.

A record that was sealed twice is one document, so a statement that names one of its leaves speaks for the
other too, if that stands before it. Linear in what was deleted: some numbers for each record that is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from tachograph.forensics.deletion.document import read_statement
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import Findings, State
from tachograph.schemas.deletion import ERASURE, Stated, stated
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash
from tachograph.schemas.note import NoteKey

__all__ = ["Lawful"]


@dataclass(slots=True)
class Lawful:
    """What was stated so far. `keys` are those whose statements count."""

    keys: Sequence[NoteKey]
    findings: Findings
    _named: dict[tuple[str, int], _Named] = field(default_factory=dict)
    """By log and index."""
    _gone: dict[tuple[str, int], _Named] = field(default_factory=dict)
    """By log and record: what came by that a statement names."""

    def add(self, log: str, leaf: Leaf, document: bytes | None) -> None:
        """A statement by its leaf and its document. One that is gone or altered is named with the records."""
        if document is None or leaf_hash(document).hex() != leaf.leaf:
            return
        found = (read_statement(document, key) for key in self.keys)
        statement = next((item for item in found if item is not None), None)
        if statement is None or statement.uid != leaf.uid or statement.session != leaf.session:
            text = "a deletion is stated by no key that is trusted for it"
            self.findings.add(Verdict.DELETION_UNAUTHORISED, f"{log}, leaf {leaf.index}", text)
            return
        if statement.log != log:
            return
        for entry in statement.records:
            if entry[0] < leaf.index:
                state = State.ERASED if statement.type == ERASURE else State.EXPIRED
                what = _Named(_digest(str(leaf.session), entry), leaf.index, state)
                before = self._named.get((log, entry[0]))
                if before is None or before.state is not State.ERASED:  # an erasure tells more
                    self._named[log, entry[0]] = what

    def passed(self, log: str, leaf: Leaf) -> None:
        """A leaf that is not asked for: another one of its record may be."""
        if (log, leaf.index) in self._named:
            self.state(log, leaf)

    def state(self, log: str, leaf: Leaf) -> State | None:
        """EXPIRED or ERASED where a statement names this leaf, or one of its record that came by before."""
        entry = stated(leaf)
        if entry is None or not self._named:
            return None
        record = _digest(str(leaf.session), entry)
        named = self._named.get((log, leaf.index))
        if named is not None and named.record == record:
            self._gone[log, record] = named
            return named.state
        other = self._gone.get((log, record))
        return other.state if other is not None and leaf.index < other.behind else None


@dataclass(frozen=True, slots=True)
class _Named:
    record: int
    """A digest of what is named."""
    behind: int
    """The index of the statement."""
    state: State


def _digest(session: str, entry: Stated) -> int:
    """Of a record, whichever its leaf."""
    said = f"{session} {entry[1]} {entry[2]} {entry[3]}"
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8])
