"""Reading a segment back: whole frames in order, a torn end cut off, damage in the middle stepped over.

What was acknowledged durable was synced before, so it is whole. A bad frame with nothing good behind it is
a write that the crash cut short. One with good frames behind it is damage: it is reported, never hidden.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tachograph.ingress.spool.files import SEGMENT_HEAD
from tachograph.ingress.spool.frames import (
    FRAME_OVERHEAD,
    MAX_BODY_BYTES,
    BadFrame,
    SpoolEntry,
    decode_frame,
    find_frame,
)

__all__ = ["READ_BYTES", "Piece", "read_piece"]

READ_BYTES = 1 << 20
_WHOLE = MAX_BODY_BYTES + FRAME_OVERHEAD
"""Any frame fits in this many bytes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some frames of a segment, and where to go on. `skipped` bytes before `next` are no frame of ours."""

    entries: tuple[SpoolEntry, ...]
    next: int
    skipped: int = 0
    done: bool = False


def read_piece(path: Path, offset: int, *, end: int | None = None) -> Piece:
    """The next frames at `offset` (0 for the start), at most about 1 MiB of them; raises `OSError`.

    Up to `end`, or to the end of the file. `done` says that nothing readable is left before that.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        limit = os.fstat(fd).st_size if end is None else end
        return _read(fd, offset, limit)
    finally:
        os.close(fd)


def _read(fd: int, offset: int, limit: int) -> Piece:
    if offset == 0:
        if os.pread(fd, len(SEGMENT_HEAD), 0) != SEGMENT_HEAD:
            return _resume(fd, 0, limit)
        offset = len(SEGMENT_HEAD)
    if offset >= limit:
        return Piece((), offset, done=True)
    for size in (READ_BYTES, _WHOLE):
        entries, length = _frames(os.pread(fd, min(size, limit - offset), offset))
        if entries:
            return Piece(entries, offset + length)
    return _resume(fd, offset, limit)


def _frames(data: bytes) -> tuple[tuple[SpoolEntry, ...], int]:
    entries: list[SpoolEntry] = []
    at = 0
    while at < len(data):
        try:
            entry, at = decode_frame(data, at)
        except BadFrame:
            break
        entries.append(entry)
    return tuple(entries), at


def _resume(fd: int, offset: int, limit: int) -> Piece:
    """Slide over what is not a frame, half a window at a time so that no frame hides on an edge."""
    at = offset
    while at < limit:
        found = find_frame(os.pread(fd, min(2 * _WHOLE, limit - at), at), 0)
        if found is not None:
            return Piece((), at + found, skipped=at + found - offset)
        at += _WHOLE
    return Piece((), limit, skipped=limit - offset, done=True)
