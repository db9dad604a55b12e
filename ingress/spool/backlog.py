"""What is written and not yet taken by the publisher: in memory while it is little, else in the files.

Memory is the rule. When it would hold too much, or when dead workers left segments, a cursor reads the
files in order, and only what is synced; once it has caught up with the writer, memory is the rule again.
Every method but `read` is called with the spool's lock held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tachograph.ingress.spool.files import Segment
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.ingress.spool.reading import Piece, read_piece
from tachograph.ingress.spool.shelf import Shelf

__all__ = ["Backlog", "Cursor", "Queued"]

log = structlog.get_logger(__name__)


class Queued:
    """One entry on its way to Kafka. `index` counts this worker's entries; None if read from a file."""

    __slots__ = ("acknowledged", "entry", "index", "ordinal", "segment", "size", "stands_for", "suspect")

    def __init__(self, entry: SpoolEntry, index: int | None) -> None:
        self.entry = entry
        self.index = index
        self.size = len(entry.value) + 256  # what a message costs besides its value
        self.segment: Segment | None = None
        self.ordinal = 0
        self.acknowledged = False
        self.stands_for: Queued | None = None
        """The entry that a dead letter speaks of."""
        self.suspect = False
        """It was in a batch that Kafka refused; it has yet to be tried alone."""


@dataclass(slots=True)
class Cursor:
    """Where reading goes on: byte offset and number of the frame there."""

    segment: Segment
    offset: int = 0
    ordinal: int = 0


class Backlog:
    """A window of entries, and a cursor into the files where the window was too small."""

    def __init__(self, shelf: Shelf, *, window_bytes: int) -> None:
        self._shelf = shelf
        self._limit = window_bytes
        self._window: deque[Queued] = deque()
        self._bytes = 0
        first = shelf.first
        self._cursor = Cursor(first) if first is not None else None

    def put(self, batch: Sequence[Queued], *, at: Cursor) -> bool:
        """A batch was written, not yet synced, at this place; False if it is to be read from there.

        Then it must be put again when that place is given up.
        """
        if self._cursor is not None:
            return False
        size = sum(queued.size for queued in batch)
        if self._bytes + size > self._limit:
            self._cursor = at
            return False
        self._window.extend(batch)
        self._bytes += size
        return True

    @property
    def spilled(self) -> bool:
        """Whether the files are read instead of memory."""
        return self._cursor is not None

    @property
    def waiting(self) -> bool:
        """Whether something can be taken now."""
        return bool(self._window) or self._reading() is not None

    @property
    def in_files(self) -> bool:
        """Whether something may lie in files that nobody has taken yet."""
        return self._reading() is not None or self._cursor is not None

    def take(self, max_bytes: int) -> list[Queued] | tuple[Cursor, int | None]:
        """Entries from memory, or what to pass to `read` without the lock."""
        if self._window or (cursor := self._reading()) is None:
            return self._take_window(max_bytes)
        return cursor, None if cursor.segment.foreign else cursor.segment.synced

    @staticmethod
    def read(cursor: Cursor, end: int | None) -> Piece:
        """Read on in the cursor's segment. What cannot be read is told, and its file kept aside."""
        segment = cursor.segment
        try:
            piece = read_piece(segment.path, cursor.offset, end=end)
        except OSError as error:
            log.error("spool_segment_unreadable", segment=segment.path.name, reason=error.strerror)  # noqa: TRY400
            segment.damaged = True
            return Piece((), segment.size, done=True)
        if piece.skipped and piece.done and segment.foreign:
            log.info("spool_torn_tail_cut", segment=segment.path.name, bytes=piece.skipped)
        elif piece.skipped:
            log.error("spool_segment_damaged", segment=segment.path.name, skipped_bytes=piece.skipped)
            segment.damaged = True
        return piece

    def advance(self, cursor: Cursor, piece: Piece) -> list[Queued]:
        """What was read, as entries; those that a former process had acknowledged are left out."""
        segment = cursor.segment
        taken = []
        for ordinal, entry in enumerate(piece.entries, cursor.ordinal):
            if segment.foreign:
                segment.frames += 1
            if ordinal < segment.known:
                segment.acked += 1
                segment.contiguous.add(ordinal)
                continue
            queued = Queued(entry, None)
            queued.segment, queued.ordinal = segment, ordinal
            taken.append(queued)
        cursor.offset = piece.next
        cursor.ordinal += len(piece.entries)
        if piece.done and segment.foreign:
            segment.closed = True
        return taken

    def _take_window(self, max_bytes: int) -> list[Queued]:
        taken: list[Queued] = []
        size = 0
        while self._window and size < max_bytes:
            taken.append(self._window.popleft())
            size += taken[-1].size
        self._bytes -= size
        return taken

    def _reading(self) -> Cursor | None:
        """The cursor if it has something to read; moves it on, or ends file reading, where it has not."""
        while (cursor := self._cursor) is not None:
            segment = cursor.segment
            if segment.foreign and not segment.closed:
                return cursor
            if cursor.offset < segment.synced and not segment.foreign:
                return cursor
            if segment is self._shelf.active:
                if segment.size == segment.synced:
                    self._cursor = None  # all that is written has been taken: memory is the rule again
                return None
            following = self._shelf.after(segment)
            self._cursor = Cursor(following) if following is not None else None
        return None
