"""Put long bodies together: opened records of one partition in, things ready to be masked out; no I/O.

A body of several `chunk` records waits for the `request` or `response` record that closes it, so that a
secret cut over two chunks is seen whole. What is held is bounded per body: in bytes, and in seconds by the
records' own time. Both follow from the partition's records alone, so every run decides alike. Past a bound
the held chunks are released withheld; a chunk whose beginning is not held is judged by its own facts.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tachograph.processors.recent import Recent
from tachograph.schemas.event import Direction, Header
from tachograph.schemas.payload import ChunkMeta, Meta, RequestMeta, ResponseMeta

__all__ = ["TOO_LARGE", "TOO_LONG", "Assembler", "Assembly", "BodyKey", "Piece", "Ready"]

TOO_LARGE = "body-too-large"
TOO_LONG = "stream-too-long"
MISSING = "chunks-missing"
MAX_REMEMBERED = 65_536
"""Chunk records remembered by uid, so that one that Kafka holds twice is not taken for another."""

BodyKey = tuple[uuid.UUID, uuid.UUID, Direction]


@dataclass(frozen=True, slots=True)
class Piece:
    """One opened record at its place in the partition."""

    offset: int
    header: Header
    meta: Meta
    body: bytes
    salt_key: bytes | None = None
    """What the salts of its documents follow from; None where it was not opened by its strand's key."""

    def __repr__(self) -> str:
        return f"Piece(offset={self.offset}, uid={self.header.uid}, body=<{len(self.body)} bytes>)"


@dataclass(frozen=True, slots=True)
class Ready:
    """One record to mask: with its chunks where it closes a body, or with the reason to withhold its body."""

    piece: Piece
    chunks: tuple[Piece, ...] = ()
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class Assembly:
    """What one record set in motion."""

    ready: tuple[Ready, ...] = ()
    held: Hashable | None = None
    """The open body that this record waits in: nothing from its beginning on may be committed."""
    released: tuple[Hashable, ...] = ()
    """Bodies that are no longer open once `ready` is delivered."""


class _Body:
    __slots__ = ("deadline", "length", "pieces")

    def __init__(self, deadline: int) -> None:
        self.deadline = deadline
        self.pieces: list[Piece] = []
        self.length = 0


class Assembler:
    """The open bodies of one partition."""

    def __init__(self, *, hold_bytes: int, hold_seconds: float) -> None:
        self._hold_bytes = hold_bytes
        self._hold_ns = int(hold_seconds * 1_000_000_000)
        self._open: dict[BodyKey, _Body] = {}
        self._deadlines: list[tuple[int, BodyKey]] = []
        self._remembered: Recent[uuid.UUID] = Recent(MAX_REMEMBERED)

    @property
    def held_bytes(self) -> int:
        return sum(body.length for body in self._open.values())

    def take(self, piece: Piece) -> Assembly:
        """Add one record in partition order; returns what is now ready, in order."""
        expired = self._expire(piece.header.ts) if self._open else ()
        late = tuple(ready for body in expired for ready in _withheld(body, TOO_LONG))
        step = self._take(piece)
        return Assembly(late + step.ready, step.held, expired + step.released)

    def pass_time(self, timestamp: str) -> None:
        """A record of other bodies has this time: forget those that have waited too long."""
        self._expire(timestamp)

    def _take(self, piece: Piece) -> Assembly:
        meta = piece.meta
        if isinstance(meta, ChunkMeta):
            return Assembly() if self._twice(piece) else self._chunk(piece, meta)
        if isinstance(meta, RequestMeta | ResponseMeta) and meta.body.chunks:
            return Assembly() if self._twice(piece) else self._close(piece, meta)
        return Assembly((Ready(piece),))

    def _twice(self, piece: Piece) -> bool:
        return not self._remembered.add(piece.header.uid)

    def _chunk(self, piece: Piece, meta: ChunkMeta) -> Assembly:
        key = _key(piece.header)
        body = self._open.get(key)
        if body is None and meta.index == 0:
            body = self._begin(key, piece.header)
        if body is None or meta.index != len(body.pieces) or meta.offset != body.length:
            return self._orphan(key, piece, meta.offset + len(piece.body))
        body.pieces.append(piece)
        body.length += len(piece.body)
        if body.length > self._hold_bytes:
            del self._open[key]
            return Assembly(tuple(_withheld(body, TOO_LARGE)), released=(body,))
        return Assembly(held=body)

    def _begin(self, key: BodyKey, header: Header) -> _Body:
        deadline = _unix_ns(header.ts) + self._hold_ns
        body = self._open[key] = _Body(deadline)
        heapq.heappush(self._deadlines, (deadline, key))
        return body

    def _orphan(self, key: BodyKey, piece: Piece, length: int) -> Assembly:
        # Nothing may be joined over a hole: what is held of this body goes with it.
        body = self._open.pop(key, None)
        before = tuple(_withheld(body, MISSING)) if body else ()
        released = (body,) if body else ()
        return Assembly((*before, Ready(piece, withheld=self._alone(length))), released=released)

    def _alone(self, length: int) -> str:
        return TOO_LARGE if length > self._hold_bytes else TOO_LONG

    def _close(self, piece: Piece, meta: RequestMeta | ResponseMeta) -> Assembly:
        key = _key(piece.header)
        body = self._open.get(key)
        if body is None or len(body.pieces) != meta.body.chunks:
            return self._orphan(key, piece, meta.body.length)
        del self._open[key]
        return Assembly((Ready(piece, tuple(body.pieces)),), released=(body,))

    def _expire(self, timestamp: str) -> tuple[_Body, ...]:
        now = _unix_ns(timestamp)
        expired = []
        while self._deadlines and self._deadlines[0][0] < now:
            deadline, key = heapq.heappop(self._deadlines)
            body = self._open.get(key)
            if body is not None and body.deadline == deadline:
                del self._open[key]
                expired.append(body)
        return tuple(expired)


def _withheld(body: _Body, reason: str) -> Iterator[Ready]:
    return (Ready(piece, withheld=reason) for piece in body.pieces)


def _key(header: Header) -> BodyKey:
    # A chunk always belongs to an exchange; a record without one stands alone under its own uid.
    return (header.epoch, header.exchange or header.uid, header.direction)


def _unix_ns(timestamp: str) -> int:
    """RFC 3339 with nine digits (the header's schema sees to that) to Unix nanoseconds."""
    return int(datetime.fromisoformat(timestamp[:19] + "+00:00").timestamp()) * 1_000_000_000 + int(
        timestamp[20:29]
    )
