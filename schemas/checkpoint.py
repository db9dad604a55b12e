"""A checkpoint (C2SP tlog-checkpoint): how long a log is, and its root, in lines that are then signed.

Origin, size, root; then our own extension lines, `word value`: `time` says when, `offset` up to where in the
masked topic. A reader skips extension lines that it does not know.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.merkle import EMPTY_ROOT, HASH_BYTES

__all__ = ["MAX_EXTENSIONS", "MAX_SIZE", "STAMPED", "Checkpoint"]

MAX_EXTENSIONS = 16
MAX_SIZE = (1 << 63) - 1
STAMPED = "/tsa"
"""Behind the key of a checkpoint: that of the time stamp over its text."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ORIGIN = re.compile(r"[^\s\x00-\x1f\x7f+]{1,255}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One statement about one log. `time` is RFC 3339 in UTC; `offset` is the next one to be read."""

    origin: str
    size: int
    root: bytes
    time: str | None = None
    offset: int | None = None
    further: tuple[str, ...] = ()
    """Extension lines that this release does not know, as they came."""

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise MalformedRecord("checkpoint origin: expected up to 255 characters, no white space, no plus")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise MalformedRecord("checkpoint: expected a size below 2^63 and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedRecord("checkpoint: a log of no leaves has another root")
        if self.time is not None and not _TIME.fullmatch(self.time):
            raise MalformedRecord("checkpoint time: expected RFC 3339 in UTC")

    @property
    def key(self) -> str:
        """Under which it is published; checkpoints of one size, which differ in time, have one key."""
        return f"{self.origin}/{self.size}"

    def text(self) -> str:
        """The lines that are signed."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        if self.time is not None:
            lines.append(f"time {self.time}")
        if self.offset is not None:
            lines.append(f"offset {self.offset}")
        return "\n".join((*lines, *self.further)) + "\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read what a note's text says; raises `MalformedRecord` for any other form of it."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or len(lines) > 4 + MAX_EXTENSIONS:
            raise MalformedRecord("checkpoint: expected origin, size, root and at most 16 lines more")
        origin, size, root, *extensions = lines[:-1]
        if not _SIZE.fullmatch(size) or "" in extensions:
            raise MalformedRecord("checkpoint: expected a plain decimal size, and no empty line")
        said, further = _known(extensions)
        offset = said.get("offset")
        if offset is not None and not _SIZE.fullmatch(offset):
            raise MalformedRecord("checkpoint offset: expected a decimal number")
        found = cls(
            origin,
            int(size),
            _root(root),
            time=said.get("time"),
            offset=None if offset is None else int(offset),
            further=further,
        )
        if found.text() != text:
            raise MalformedRecord("checkpoint: its lines are not in the one form that we write")
        return found


def _known(lines: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    said: dict[str, str] = {}
    further: list[str] = []
    for line in lines:
        word, _, value = line.partition(" ")
        if word not in {"time", "offset"}:
            further.append(line)
        elif word in said:
            raise MalformedRecord(f"checkpoint: {word} is said twice")
        else:
            said[word] = value
    return said, tuple(further)


def _root(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRecord("checkpoint root: expected base64") from None
