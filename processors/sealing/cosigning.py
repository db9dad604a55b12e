"""One witness (C2SP tlog-witness): asked to cosign a checkpoint, told how the log grew since it last did.

Its cosignature is verified before anything is published. A witness that knows another history says so with
422; nothing can be proven then, and somebody must look.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from tachograph.processors.errors import AnchorFault, HistoryDisputed
from tachograph.processors.sealing.asking import Answer, Caller
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.errors import MalformedRecord, SignatureBroken
from tachograph.schemas.note import NoteKey, open_note
from tachograph.schemas.tlog_witness import SIZE_TYPE, AddCheckpoint, parse_size

__all__ = ["Prove", "Witness"]

TURNS = 3
"""How often a witness may name another size within one asking: somebody else may ask it at the same time."""
Prove = Callable[[int, int], tuple[bytes, ...]]
"""From a size to a later one: a proof of RFC 9162, 2.1.4.1. Raises `AnchorFault`, `BrokerFault`."""


class Witness:
    """A witness at one address; remembers what it last cosigned of each log."""

    def __init__(self, caller: Caller, key: NoteKey) -> None:
        self._caller, self.key = caller, key
        self._known: dict[str, int] = {}

    def cosign(self, note: str, said: Checkpoint, prove: Prove) -> str:
        """Its cosignature line for this note. Raises `AnchorFault`, `BrokerFault`."""
        old = self._known.get(said.origin, 0)
        if old > said.size:  # another process has asked about a later checkpoint
            raise AnchorFault(f"{said.origin}: it has cosigned {old} leaves, this checkpoint has {said.size}")
        for _ in range(TURNS):
            answer = self._ask(AddCheckpoint(old, prove(old, said.size), note))
            if answer.status != 409 or answer.kind != SIZE_TYPE:
                line = self._line(note, said.origin, answer)
                self._known[said.origin] = said.size
                return line
            old = self._stale(said, answer)
        raise AnchorFault(f"{said.origin}: it names another size each time")

    def _ask(self, asked: AddCheckpoint) -> Answer:
        return self._caller.post(asked.text().encode(), "text/plain; charset=utf-8")

    def _stale(self, said: Checkpoint, answer: Answer) -> int:
        try:
            size = parse_size(answer.body.decode("ascii", "replace"))
        except MalformedRecord:
            raise AnchorFault(f"{said.origin}: it answered 409 without the size that it knows") from None
        self._known[said.origin] = size
        if size > said.size:
            raise HistoryDisputed(
                f"{said.origin}: it has cosigned {size} leaves, this checkpoint has {said.size};"
                " where no other process seals this log, leaves were lost: see docs/evidence.md"
            )
        return size

    def _line(self, note: str, origin: str, answer: Answer) -> str:
        if answer.status == 422:
            raise HistoryDisputed(
                f"{origin}: FORK: it has cosigned another history of this log; see docs/evidence.md"
            )
        if answer.status != 200:
            raise AnchorFault(f"{origin}: it answered {answer.status}{_HINTS.get(answer.status, '')}")
        for line in answer.body.decode("utf-8", "replace").splitlines():
            if self._is_ours(line):
                return self._verified(note, line + "\n")
        raise AnchorFault(f"{origin}: its answer has no cosignature by {self.key.name}; compare the key")

    def _is_ours(self, line: str) -> bool:
        parts = line.split(" ")
        if len(parts) != 3 or parts[:2] != ["\u2014", self.key.name]:
            return False
        try:
            return base64.b64decode(parts[2], validate=True)[:4] == self.key.id.to_bytes(4)
        except (binascii.Error, ValueError):
            return False

    def _verified(self, note: str, line: str) -> str:
        try:
            open_note(note + line, [self.key])
        except (MalformedRecord, SignatureBroken):
            raise AnchorFault(f"the cosignature of {self.key.name} does not fit the checkpoint") from None
        return line


_HINTS = {
    403: ": it has another key for this log; give it the one that `tacho trust` prints",
    404: ": it does not know this log; give it the key that `tacho trust` prints",
}
