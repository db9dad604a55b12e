"""Whether a witness cosigns: what it is asked and what it last cosigned in, its answer out; no I/O.

The rules, and their order, are those of C2SP tlog-witness. A log that forgot, forked or was cut off gets no
cosignature, whoever holds its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.errors import MalformedRecord, ProofBroken, SignatureBroken
from tachograph.schemas.merkle import EMPTY_ROOT, check_consistency
from tachograph.schemas.note import NoteKey, open_note
from tachograph.schemas.tlog_witness import AddCheckpoint

__all__ = ["Answer", "Known", "Refused", "judge"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the witness last cosigned of one log."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    """Cosign this checkpoint, once it is remembered as the last one."""

    checkpoint: Checkpoint
    text: str


class Refused(Exception):
    """No cosignature. `size` is what the witness knows, where the log is to ask again from there."""

    def __init__(self, status: int, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.size = status, reason, size


def judge(body: str, *, logs: Mapping[str, NoteKey], known: Mapping[str, Known]) -> Answer:
    """Raises `Refused` with the status that the protocol gives each reason."""
    try:
        asked = AddCheckpoint.parse(body)
        checkpoint = Checkpoint.parse(asked.note.rpartition("\n\n")[0] + "\n")
    except MalformedRecord as error:
        raise Refused(400, str(error)) from None
    key = logs.get(checkpoint.origin)
    if key is None:
        raise Refused(404, "this witness does not know a log of this origin")
    try:
        text = open_note(asked.note, [key]).text
    except MalformedRecord as error:
        raise Refused(400, str(error)) from None
    except SignatureBroken:
        raise Refused(403, "the checkpoint is not signed by this log's key") from None
    if asked.old > checkpoint.size:
        raise Refused(400, f"a log of {checkpoint.size} leaves cannot have grown from {asked.old}")
    last = known.get(checkpoint.origin, Known())
    if asked.old != last.size:
        raise Refused(409, f"the last one cosigned here had {last.size} leaves", last.size)
    try:
        check_consistency(
            last.size, last.root, second=checkpoint.size, second_root=checkpoint.root, proof=asked.proof
        )
    except ProofBroken as error:
        raise Refused(422, str(error)) from None
    return Answer(checkpoint, text)
