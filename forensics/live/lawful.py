"""Which leaves may be without their documents: those that a signed statement behind them in their log names.

Linear in what was deleted: a number for each record that a statement names.
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
    _named: dict[tuple[str, int], int] = field(default_factory=dict)
    """By log and index: a digest of what is named; its lowest bit says that it was erased."""

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
                what = _digest(str(leaf.session), entry) << 1 | (statement.type == ERASURE)
                before = self._named.get((log, entry[0]), 0)
                self._named[log, entry[0]] = before if before & 1 else what  # an erasure tells more

    def state(self, log: str, leaf: Leaf) -> State | None:
        """EXPIRED or ERASED where a statement names this leaf."""
        named, entry = self._named.get((log, leaf.index)), stated(leaf)
        if named is None or entry is None or _digest(str(leaf.session), entry) != named >> 1:
            return None
        return State.ERASED if named & 1 else State.EXPIRED


def _digest(session: str, entry: Stated) -> int:
    said = f"{session} {entry[0]} {entry[1]} {entry[2]} {entry[3]}"
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8])
