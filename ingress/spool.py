"""The write-ahead spool of one worker: every record goes through it, in order, and nothing else queues.

One thread writes what has come since its last round, hands it to the publisher and syncs it: group commit.
What the publisher has not taken stays in memory up to a bound and is read back from the files beyond it.
A failing disk is retried for ever with the records kept; meanwhile nothing new is admitted.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from tachograph.ingress.errors import RecorderFull
from tachograph.ingress.faults import log_fault
from tachograph.ingress.spool_files import Disk, Segment, SystemDisk, WorkerDirectory
from tachograph.ingress.spool_frames import SpoolEntry, encode_frame
from tachograph.ingress.spool_reading import Piece, read_piece
from tachograph.schemas.canonical import sha256_hex

__all__ = ["Listener", "Queued", "Spool", "SpoolLimits"]

_MIB = 1 << 20
BATCH_BYTES = 4 * _MIB
"""The most that one group commit writes."""
TICK_SECONDS = 1.0
"""How often the writer looks after its files when nothing comes."""
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Between attempts on a failing disk; the last one repeats."""
RECLAIM_SECONDS = 60.0
"""An acknowledged record stays in an open segment no longer than this."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds in bytes: of the files, of one file, and of what is held in memory."""

    max_bytes: int
    segment_bytes: int
    pending_bytes: int = 8 * _MIB
    window_bytes: int = 8 * _MIB

    @property
    def reserve_bytes(self) -> int:
        """Kept free for the answers to what was already admitted."""
        return min(self.max_bytes // 8, 32 * _MIB)

    @property
    def roll_bytes(self) -> int:
        """A segment is at most an eighth of the spool, so that acknowledged ones make room soon."""
        return min(self.segment_bytes, self.max_bytes // 8)


class Listener(Protocol):
    """Who is told; every call comes from the spool's own threads."""

    def synced(self, count: int) -> None: ...
    def acknowledged(self, index: int) -> None: ...
    def broken(self, reason: str) -> None: ...


class Queued:
    """One entry on its way to Kafka. `index` counts this worker's entries; None for what lies in files."""

    __slots__ = ("acknowledged", "entry", "index", "ordinal", "segment", "size", "stands_for")

    def __init__(self, entry: SpoolEntry, index: int | None) -> None:
        self.entry = entry
        self.index = index
        self.size = len(entry.value) + 256  # what a message costs besides its value
        self.segment: Segment | None = None
        self.ordinal = 0
        self.acknowledged = False
        self.stands_for: Queued | None = None


@dataclass(slots=True)
class _Cursor:
    """Where the publisher reads on in the files."""

    turn: int
    offset: int = 0
    ordinal: int = 0


class Spool:
    """Append on the loop; `take` and `acknowledge` in the publisher's threads; one thread of its own."""

    def __init__(
        self,
        own: WorkerDirectory,
        adopted: Sequence[WorkerDirectory],
        *,
        limits: SpoolLimits,
        listener: Listener,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._limits = limits
        self._listener = listener
        self._disk = disk or SystemDisk()
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: deque[Queued] = deque()
        self._pending_bytes = 0
        self._window: deque[Queued] = deque()
        self._window_bytes = 0
        self._count = 0
        self._turns = itertools.count()
        self._adopted = {directory.path: directory for directory in adopted}
        found = [segment for directory in adopted for segment in directory.segments()]
        for folder in self._adopted.keys() - {segment.path.parent for segment in found}:
            self._adopted.pop(folder).release()
        self._segments: dict[int, Segment] = {next(self._turns): segment for segment in found}
        self._foreign = set(self._segments)
        self._disk_bytes = sum(segment.size for segment in found)
        self._active: tuple[int, Segment] | None = None
        self._cursor: _Cursor | None = _Cursor(0) if found else None
        self._numbers = itertools.count()
        self._broken = ""
        self._closing: float | None = None
        self._noted = 0.0
        self._thread = threading.Thread(target=self._run, name="tacho-spool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # -- for the recorder ------------------------------------------------------------------------

    def append(self, entries: Sequence[SpoolEntry]) -> int:
        """Queue entries in order; returns the count of records that must be durable for these to be so."""
        with self._changed:
            for entry in entries:
                queued = Queued(entry, self._count)
                self._pending.append(queued)
                self._pending_bytes += queued.size
                self._count += 1
            self._changed.notify_all()
            return self._count

    def check(self, *, reserve: bool) -> None:
        """Raise `RecorderFull` if nothing may be admitted. With `reserve`, keep room for answers."""
        if self._broken:
            raise RecorderFull(f"the spool's disk fails: {self._broken}")
        bound = self._limits.max_bytes - (self._limits.reserve_bytes if reserve else 0)
        if self._disk_bytes + self._pending_bytes > bound:
            raise RecorderFull("the spool is full: Kafka has not taken its records")
        if self._pending_bytes > self._limits.pending_bytes:
            raise RecorderFull("the spool's disk is too slow")

    @property
    def broken(self) -> str:
        """Why the disk fails; empty while it does not."""
        return self._broken

    @property
    def used_bytes(self) -> int:
        """Bytes in files, acknowledged or not, and waiting to be written."""
        return self._disk_bytes + self._pending_bytes

    # -- for the publisher -----------------------------------------------------------------------

    def take(self, max_bytes: int, *, timeout: float) -> list[Queued]:
        """The next entries in order, about `max_bytes` of them; empty when none came within `timeout`."""
        with self._changed:
            if not self._window and not self._readable():
                self._changed.wait(timeout)
            if self._window:
                return self._take_window(max_bytes)
            job = self._reading()
        return self._take_files(*job) if job is not None else []

    def acknowledge(self, queued: Queued) -> None:
        """Kafka, or the dead letter, has this entry."""
        with self._changed:
            queued.acknowledged = True
            if queued.segment is not None:
                queued.segment.acked += 1
                queued.segment.contiguous.add(queued.ordinal)
        if queued.index is not None:
            self._listener.acknowledged(queued.index)

    def set_aside(self, entry: SpoolEntry, reason: str) -> None:
        """Keep for the operator what Kafka takes nowhere: one sealed frame in a file under `refused/`."""
        folder = self._own.path.parent / "refused"
        frame = encode_frame(entry)
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{sha256_hex(frame)[:32]}.{reason.lower()}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._disk.write(fd, frame)
            self._disk.sync(fd)
        finally:
            os.close(fd)

    @property
    def empty(self) -> bool:
        """Whether every entry ever appended or adopted is acknowledged."""
        with self._changed:
            self._catch_up()
            owing = any(segment.acked != segment.frames for segment in self._segments.values())
            return not self._pending_bytes and self._cursor is None and not owing

    # -- life --------------------------------------------------------------------------------------

    def close(self, *, timeout: float) -> int:
        """Write what is pending and stop; returns how many entries did not reach the disk."""
        with self._changed:
            self._closing = self._clock() + timeout
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout + TICK_SECONDS)
        self._note()
        if self._active is not None:
            self._active[1].close()
        self._sweep()
        for directory in (self._own, *self._adopted.values()):
            directory.release()
        return len(self._pending)

    # -- the writer's thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                if batch:
                    self._commit(batch)
                self._keep_house()
        except Exception as error:  # noqa: BLE001  whatever it is, nothing more is admitted, and it is told
            log_fault("spool_writer_died", error)
            self._set_broken("a defect stopped its writer; see the log")

    def _next_batch(self) -> list[Queued] | None:
        with self._changed:
            if not self._pending and self._closing is None:
                self._changed.wait_for(lambda: self._pending or self._closing is not None, TICK_SECONDS)
            if not self._pending and self._closing is not None:
                return None
            batch: list[Queued] = []
            size = 0
            while self._pending and size < BATCH_BYTES:
                batch.append(self._pending.popleft())
                size += batch[-1].size
            return batch

    def _commit(self, batch: list[Queued]) -> None:
        """Make a batch durable, however long the disk takes to come back."""
        size = sum(queued.size for queued in batch)
        last = batch[-1].index or 0
        handed = False
        for attempt in itertools.count():
            try:
                self._write(batch, hand_over=not handed)
                handed = True
                self._sync()
            except OSError as error:
                batch = self._retreat(batch, error)
                if batch and not self._pause(attempt):
                    return self._give_up(batch)
                if not batch:  # Kafka was faster than the disk failed
                    break
            else:
                break
        with self._changed:
            self._pending_bytes -= size
            self._changed.notify_all()
        self._set_broken("")
        self._listener.synced(last + 1)
        return None

    def _write(self, batch: list[Queued], *, hand_over: bool) -> None:
        data = b"".join([encode_frame(queued.entry) for queued in batch])
        turn, segment = self._writable(len(data))
        offset, ordinal = segment.size, segment.frames
        segment.append(data, len(batch), disk=self._disk)
        with self._changed:
            self._disk_bytes += len(data)
            for number, queued in enumerate(batch, ordinal):
                queued.segment, queued.ordinal = segment, number
                if queued.acknowledged:
                    segment.acked += 1
                    segment.contiguous.add(number)
            if hand_over and self._cursor is None:
                self._hand_over(batch, _Cursor(turn, offset, ordinal))

    def _hand_over(self, batch: list[Queued], place: _Cursor) -> None:
        size = sum(queued.size for queued in batch)
        if self._window_bytes + size > self._limits.window_bytes:
            self._cursor = place  # from here on the publisher reads files, once they are synced
            return
        self._window.extend(batch)
        self._window_bytes += size
        self._changed.notify_all()

    def _sync(self) -> None:
        if self._active is not None:
            self._active[1].sync(disk=self._disk)

    def _writable(self, length: int) -> tuple[int, Segment]:
        if self._active is not None and self._active[1].size + length > self._limits.roll_bytes:
            self._close_active()
        if self._active is None:
            path = self._own.path / f"{next(self._numbers):012}.seg"
            segment = Segment.create(path, disk=self._disk, now=self._clock())
            with self._changed:
                self._active = (next(self._turns), segment)
                self._segments[self._active[0]] = segment
                self._disk_bytes += segment.size
        return self._active

    def _close_active(self) -> None:
        if self._active is not None:
            with self._changed:
                self._active[1].close()
                self._active = None

    def _retreat(self, batch: list[Queued], error: OSError) -> list[Queued]:
        """Leave the failing segment; what Kafka has not acknowledged of the batch goes to the next one."""
        with self._changed:
            left = [queued for queued in batch if not queued.acknowledged]
            if self._active is not None:
                segment, self._active = self._active[1], None
                placed = [queued for queued in left if queued.segment is segment]
                self._disk_bytes -= segment.size - segment.synced
                segment.cut(len(placed))
                for queued in placed:
                    queued.segment = None
        self._set_broken(error.strerror or "input/output error")
        return left

    def _pause(self, attempt: int) -> bool:
        """Wait before the next attempt; False when the worker is closing and its time is up."""
        delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
        with self._changed:
            self._changed.wait_for(lambda: self._closing is not None, delay)
        return self._closing is None or self._clock() < self._closing

    def _give_up(self, batch: list[Queued]) -> None:
        log.error("spool_records_not_written", records=len(batch), reason=self._broken)
        with self._changed:
            self._pending.extendleft(reversed(batch))

    def _set_broken(self, reason: str) -> None:
        if reason == self._broken:
            return
        self._broken = reason
        if reason:
            log.error("spool_disk_fails", reason=reason)
            self._listener.broken(reason)
        else:
            log.info("spool_disk_recovered")

    # -- files that are done with ------------------------------------------------------------------

    def _keep_house(self) -> None:
        now = self._clock()
        active = self._active[1] if self._active is not None else None
        if active is not None and active.frames and active.acked == active.frames:
            large = active.size > self._limits.roll_bytes // 4
            if large or now - active.born > RECLAIM_SECONDS:
                self._close_active()
        if now - self._noted >= TICK_SECONDS:
            self._noted = now
            self._note()
        self._sweep()

    def _note(self) -> None:
        for segment in tuple(self._segments.values()):
            segment.note_acknowledged()

    def _sweep(self) -> None:
        with self._changed:
            finished = [(turn, segment) for turn, segment in self._segments.items() if segment.finished]
            for turn, segment in finished:
                del self._segments[turn]
                self._disk_bytes -= segment.size
        for turn, segment in finished:
            segment.remove()
            if turn in self._foreign:
                self._release(turn, segment)

    def _release(self, turn: int, segment: Segment) -> None:
        self._foreign.discard(turn)
        folder = segment.path.parent
        if not any(self._segments[other].path.parent == folder for other in self._foreign):
            log.info("spool_adopted", folder=folder.name)
            self._adopted.pop(folder).release()

    # -- reading files back ------------------------------------------------------------------------

    def _readable(self) -> bool:
        """Whether the cursor has something to read; moves it on, or ends file reading, where it has not."""
        self._catch_up()
        if self._cursor is None:
            return False
        segment = self._segments[self._cursor.turn]
        return self._cursor.turn in self._foreign or self._cursor.offset < segment.synced

    def _catch_up(self) -> None:
        while self._cursor is not None:
            segment = self._segments.get(self._cursor.turn)
            if segment is not None and not (segment.closed and self._cursor.offset >= segment.synced):
                if self._active is None or segment is not self._active[1]:
                    return
                if self._cursor.offset < segment.size or segment.size != segment.synced:
                    return
                self._cursor = None  # everything that is written has been taken: back to memory
                return
            following = [turn for turn in self._segments if turn > self._cursor.turn]
            self._cursor = _Cursor(min(following)) if following else None

    def _take_window(self, max_bytes: int) -> list[Queued]:
        taken: list[Queued] = []
        size = 0
        while self._window and size < max_bytes:
            taken.append(self._window.popleft())
            size += taken[-1].size
        self._window_bytes -= size
        return taken

    def _reading(self) -> tuple[_Cursor, Segment, int | None] | None:
        if not self._readable() or self._cursor is None:
            return None
        segment = self._segments[self._cursor.turn]
        return self._cursor, segment, None if self._cursor.turn in self._foreign else segment.synced

    def _take_files(self, cursor: _Cursor, segment: Segment, end: int | None) -> list[Queued]:
        try:
            piece = read_piece(segment.path, cursor.offset, end=end)
        except OSError as error:
            log.error("spool_segment_unreadable", segment=segment.path.name, reason=error.strerror)  # noqa: TRY400
            segment.damaged = True
            piece = Piece((), segment.size, done=True)
        if piece.skipped and piece.done and end is None:
            log.info("spool_torn_tail_cut", segment=segment.path.name, bytes=piece.skipped)
        elif piece.skipped:
            log.error("spool_segment_damaged", segment=segment.path.name, skipped_bytes=piece.skipped)
            segment.damaged = True
        with self._changed:
            return self._number(cursor, segment, piece, foreign=end is None)

    def _number(self, cursor: _Cursor, segment: Segment, piece: Piece, *, foreign: bool) -> list[Queued]:
        known = segment.noted_acknowledged() if foreign else 0
        taken = []
        for ordinal, entry in enumerate(piece.entries, cursor.ordinal):
            if foreign:
                segment.frames += 1
            if ordinal < known:
                segment.acked += 1
                segment.contiguous.add(ordinal)
                continue
            queued = Queued(entry, None)
            queued.segment, queued.ordinal = segment, ordinal
            taken.append(queued)
        cursor.offset = piece.next
        cursor.ordinal += len(piece.entries)
        if piece.done and foreign:
            cursor.offset = max(cursor.offset, segment.synced)
            segment.closed = True
        return taken
