"""The segments of one worker in the order of publishing: the adopted ones first, then its own.

It says which one takes the next write, what of them Kafka still owes an answer for, and lets go of those
that are done. All state is guarded by the condition that is passed in, the spool's only lock.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from tachograph.ingress.spool.files import Disk, Segment, WorkerDirectory

__all__ = ["RECLAIM_SECONDS", "Shelf"]

RECLAIM_SECONDS = 60.0
"""An acknowledged record stays in the open segment no longer than this, give or take a second."""

log = structlog.get_logger(__name__)


class Shelf:
    """Only the writer's thread makes, closes and deletes segments."""

    def __init__(
        self,
        own: WorkerDirectory,
        adopted: Sequence[WorkerDirectory],
        *,
        lock: threading.Condition,
        disk: Disk,
        clock: Callable[[], float],
    ) -> None:
        self._own = own
        self._adopted = {directory.path: directory for directory in adopted}
        self._lock = lock
        self._disk = disk
        self._clock = clock
        self._turns = itertools.count()
        self._numbers = itertools.count()
        self._segments: dict[int, Segment] = {}
        self.active: Segment | None = None
        self.bytes = 0
        for directory in adopted:
            for segment in directory.segments():
                self._put(segment)
        for folder in tuple(self._adopted):
            self._release(folder)

    @property
    def first(self) -> Segment | None:
        return next(iter(self._segments.values()), None)

    @property
    def owing(self) -> bool:
        """Whether Kafka has not acknowledged everything that was written or read."""
        return any(segment.acked != segment.frames for segment in self._segments.values())

    def after(self, segment: Segment) -> Segment | None:
        """The next one in the order of publishing."""
        return next((other for turn, other in self._segments.items() if turn > segment.turn), None)

    def writable(self, length: int, *, roll_bytes: int) -> Segment:
        """The segment that takes `length` more bytes; a new one where that is full. May raise OSError."""
        if self.active is not None and self.active.size + length > roll_bytes:
            self.close_active()
        if self.active is None:
            path = self._own.path / f"{next(self._numbers):012}.seg"
            segment = Segment.create(path, disk=self._disk, now=self._clock())
            with self._lock:
                self._put(segment)
                self.active = segment
        return self.active

    def close_active(self) -> None:
        with self._lock:
            if self.active is not None:
                self.active.close()
                self.active = None

    def reclaim(self, *, large: int) -> None:
        """Close the open segment when all of it is acknowledged and it is `large` or old."""
        segment = self.active
        if segment is None or not segment.frames or segment.acked != segment.frames:
            return
        if segment.size > large or self._clock() - segment.born > RECLAIM_SECONDS:
            self.close_active()

    def note(self) -> None:
        """Write down what is acknowledged, so that a successor repeats less."""
        for segment in tuple(self._segments.values()):
            segment.note_acknowledged()

    def sweep(self) -> None:
        """Delete what is done with, and give back the folders of dead workers."""
        with self._lock:
            finished = [segment for segment in self._segments.values() if segment.finished]
            for segment in finished:
                del self._segments[segment.turn]
                self.bytes -= segment.size
        for segment in finished:
            segment.remove()
        for folder in {segment.path.parent for segment in finished if segment.foreign}:
            self._release(folder)

    def close(self) -> None:
        """Let go of everything; what is not acknowledged stays for the next worker."""
        self.close_active()
        self.note()
        self.sweep()
        for directory in (self._own, *self._adopted.values()):
            directory.release()

    def _put(self, segment: Segment) -> None:
        segment.turn = next(self._turns)
        self._segments[segment.turn] = segment
        self.bytes += segment.size

    def _release(self, folder: Path) -> None:
        if not any(segment.path.parent == folder for segment in self._segments.values()):
            self._adopted.pop(folder).release()
            log.info("spool_adopted", folder=folder.name)
