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
from tachograph.ingress.spool.backlog import Backlog, Cursor, Queued
from tachograph.ingress.spool.files import Disk, SystemDisk, WorkerDirectory
from tachograph.ingress.spool.frames import SpoolEntry, encode_frame
from tachograph.ingress.spool.shelf import Shelf
from tachograph.schemas.canonical import sha256_hex

__all__ = ["Listener", "Queued", "Spool", "SpoolLimits"]

_MIB = 1 << 20
BATCH_BYTES = 4 * _MIB
"""The most that one group commit writes."""
TICK_SECONDS = 1.0
"""How often the writer looks after its files when nothing comes."""
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Between attempts on a failing disk; the last one repeats."""

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
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        """There is something to take; its lock is the spool's only one."""
        self._work = threading.Condition(lock)
        """There is something to write."""
        self._pending: deque[Queued] = deque()
        self._pending_bytes = 0
        self._wanted = False
        """Somebody asked for what is pending to be written."""
        self._count = 0
        self._shelf = Shelf(own, adopted, lock=self._changed, disk=self._disk, clock=clock)
        self._backlog = Backlog(self._shelf, window_bytes=limits.window_bytes)
        self._broken = ""
        self._gave_up = False
        self._closed = False
        self._closing: float | None = None
        self._noted = 0.0
        self._thread = threading.Thread(target=self._run, name="tacho-spool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # -- for the recorder ------------------------------------------------------------------------

    def append(self, entries: Sequence[SpoolEntry], *, wake: bool = True) -> int:
        """Queue entries in order; returns the count of records that must be durable for these to be so.

        Without `wake` they lie in memory until the next append with it, or until `wake()`.
        """
        if self._closed and entries:
            log.error("spool_record_after_close", records=len(entries))
        with self._changed:
            for entry in entries:
                queued = Queued(entry, self._count)
                self._pending.append(queued)
                self._pending_bytes += queued.size
                self._count += 1
            if wake:
                self._wanted = True
                self._work.notify()
            return self._count

    def wake(self) -> None:
        """Have the writer write what was appended."""
        with self._changed:
            self._wanted = bool(self._pending)
            self._work.notify()

    def check(self, *, reserve: bool) -> None:
        """Raise `RecorderFull` if nothing may be admitted. With `reserve`, keep room for answers."""
        if self._broken:
            raise RecorderFull(f"the spool's disk fails: {self._broken}")
        bound = self._limits.max_bytes - (self._limits.reserve_bytes if reserve else 0)
        if self._shelf.bytes + self._pending_bytes > bound:
            raise RecorderFull("the spool is full: Kafka has not taken its records")

    @property
    def count(self) -> int:
        """How many entries were appended."""
        return self._count

    @property
    def pressed(self) -> bool:
        """Whether more waits in memory for the disk than it should: wait for what is there, then go on."""
        return self._pending_bytes > self._limits.pending_bytes

    @property
    def broken(self) -> str:
        """Why the disk fails; empty while it does not."""
        return self._broken

    @property
    def used_bytes(self) -> int:
        """Bytes in files, acknowledged or not, and waiting to be written."""
        return self._shelf.bytes + self._pending_bytes

    # -- for the publisher -----------------------------------------------------------------------

    def take(self, max_bytes: int, *, timeout: float) -> list[Queued]:
        """The next entries in order, about `max_bytes` of them; empty when none came within `timeout`."""
        with self._changed:
            if not self._backlog.waiting:
                self._changed.wait(timeout)
            found = self._backlog.take(max_bytes)
        if isinstance(found, list):
            return found
        cursor, end = found
        piece = self._backlog.read(cursor, end)
        with self._changed:
            return self._backlog.advance(cursor, piece)

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
            return not self._pending_bytes and not self._backlog.in_files and not self._shelf.owing

    # -- life --------------------------------------------------------------------------------------

    def close(self, *, timeout: float) -> int:
        """Write what is pending and stop; returns how many entries did not reach the disk."""
        with self._changed:
            self._closing = self._clock() + timeout
            self._work.notify_all()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout + TICK_SECONDS)
        if not self._closed:
            self._closed = True
            self._shelf.close()
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
            if not self._wanted and self._closing is None:
                self._work.wait_for(lambda: self._wanted or self._closing is not None, TICK_SECONDS)
            if self._closing is not None and (self._gave_up or not self._pending):
                return None
            batch: list[Queued] = []
            size = 0
            while self._pending and size < BATCH_BYTES:
                batch.append(self._pending.popleft())
                size += batch[-1].size
            self._wanted = bool(self._pending)
            return batch

    def _commit(self, batch: list[Queued]) -> None:
        """Make a batch durable, however long the disk takes to come back."""
        size = sum(queued.size for queued in batch)
        last = batch[-1].index or 0
        handed = False
        for attempt in itertools.count():
            try:
                handed = self._write(batch, handed=handed)
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
            if self._backlog.spilled:  # what is synced may now be read
                self._changed.notify_all()
        self._set_broken("")
        self._listener.synced(last + 1)
        return None

    def _write(self, batch: list[Queued], *, handed: bool) -> bool:
        """Append a batch; returns whether the publisher has it in memory, now or from an attempt before."""
        data = b"".join([encode_frame(queued.entry) for queued in batch])
        segment = self._shelf.writable(len(data), roll_bytes=self._limits.roll_bytes)
        place = Cursor(segment, segment.size, segment.frames)
        segment.append(data, len(batch), disk=self._disk)
        with self._changed:
            self._shelf.bytes += len(data)
            for number, queued in enumerate(batch, place.ordinal):
                queued.segment, queued.ordinal = segment, number
                if queued.acknowledged:
                    segment.acked += 1
                    segment.contiguous.add(number)
            if not handed:
                handed = self._backlog.put(batch, at=place)
                self._changed.notify_all()
        return handed

    def _sync(self) -> None:
        if self._shelf.active is not None:
            self._shelf.active.sync(disk=self._disk)

    def _retreat(self, batch: list[Queued], error: OSError) -> list[Queued]:
        """Leave the failing segment; what Kafka has not acknowledged of the batch goes to the next one."""
        with self._changed:
            left = [queued for queued in batch if not queued.acknowledged]
            segment, self._shelf.active = self._shelf.active, None
            if segment is not None:
                placed = [queued for queued in left if queued.segment is segment]
                self._shelf.bytes -= segment.size - segment.synced
                segment.cut(len(placed))
                for queued in placed:
                    queued.segment = None
        self._set_broken(error.strerror or "input/output error")
        return left

    def _pause(self, attempt: int) -> bool:
        """Wait before the next attempt; False when the worker is closing and its time is up."""
        delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
        with self._changed:
            self._work.wait_for(lambda: self._closing is not None, delay)
        return self._closing is None or self._clock() < self._closing

    def _give_up(self, batch: list[Queued]) -> None:
        log.error("spool_records_not_written", records=len(batch), reason=self._broken)
        with self._changed:
            self._gave_up = True
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

    def _keep_house(self) -> None:
        self._shelf.reclaim(large=self._limits.roll_bytes // 4)
        now = self._clock()
        if now - self._noted >= TICK_SECONDS:
            self._noted = now
            self._shelf.note()
        self._shelf.sweep()
