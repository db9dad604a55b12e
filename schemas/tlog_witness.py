"""What a log asks of its witnesses (C2SP tlog-witness, add-checkpoint), as text: no HTTP here.

A request is the size that the witness is thought to know, a consistency proof from there, an empty line and
the signed checkpoint. The answer is cosignature lines, or the size that the witness does know.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from tachograph.schemas.checkpoint import MAX_SIZE
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.merkle import HASH_BYTES, MAX_PROOF

__all__ = ["MAX_REQUEST_BYTES", "SIZE_TYPE", "AddCheckpoint", "parse_size"]

MAX_REQUEST_BYTES = 64 << 10
SIZE_TYPE = "text/x.tlog.size"
"""The media type of the answer that names the size the witness knows."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """From a log of `old` leaves, `proof` leads to the one of the signed checkpoint in `note`."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """The request's body."""
        lines = [f"old {self.old}", *(base64.b64encode(item).decode() for item in self.proof)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> AddCheckpoint:
        """Read a request's body; raises `MalformedRecord`. The note is not opened here."""
        if len(text) > MAX_REQUEST_BYTES:
            raise MalformedRecord(f"add-checkpoint: expected at most {MAX_REQUEST_BYTES} bytes")
        head, blank, note = text.partition("\n\n")
        first, *rest = head.split("\n")
        word, _, number = first.partition(" ")
        if not blank or not note or word != "old":
            raise MalformedRecord(
                "add-checkpoint: expected `old <size>`, proof lines, an empty line and a note"
            )
        if len(rest) > MAX_PROOF:
            raise MalformedRecord(
                f"add-checkpoint: expected at most {MAX_PROOF} proof lines, got {len(rest)}"
            )
        return cls(_number(number), tuple(map(_hash, rest)), note)


def parse_size(text: str) -> int:
    """The body of a 409 of type `SIZE_TYPE`; raises `MalformedRecord`."""
    if not text.endswith("\n"):
        raise MalformedRecord("size: expected a decimal number and a newline")
    return _number(text[:-1])


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > MAX_SIZE:
        raise MalformedRecord("expected a decimal number below 2^63 without leading zeros")
    return int(text)


def _hash(line: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != HASH_BYTES or base64.b64encode(data).decode() != line:
        raise MalformedRecord(f"proof line: expected base64 of {HASH_BYTES} bytes")
    return data
