"""Spool files on disk: one directory a worker, locked while it lives, holding numbered segments of frames.

A directory whose lock is free belonged to a worker that died; whoever starts next adopts it. A segment is
append-only, readable by its owner only, and is deleted when Kafka has acknowledged all of it. Beside it
lies an advisory `.ack` file (how many frames from its start are acknowledged), which spares repeats.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tachograph.ingress.errors import SpoolBroken

__all__ = [
    "SEGMENT_HEAD",
    "Contiguous",
    "Disk",
    "Segment",
    "SystemDisk",
    "WorkerDirectory",
    "claim_directory",
    "lock_root",
]

SEGMENT_HEAD = b"TACHOSPL\x01\x00\x00\x00\x00\x00\x00\x00"
"""Magic and version of a segment file, 16 bytes."""
CLAIM_SECONDS = 10.0
"""The longest wait for another worker that is claiming its own directory."""
_ACK = struct.Struct(">QI")
_LOCK = "lock"


class Disk(Protocol):
    """What can fail about a disk; tests pass one that does."""

    def write(self, fd: int, data: bytes) -> None: ...
    def sync(self, fd: int) -> None: ...
    def create(self, path: Path) -> int: ...


class SystemDisk:
    """The real one."""

    def write(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def create(self, path: Path) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _sync_directory(path.parent)
        except OSError:
            os.close(fd)
            raise
        return fd


class Contiguous:
    """Which of 0, 1, 2, ... are done: counts the done ones from the start, whatever order they come in."""

    __slots__ = ("_ahead", "upto")

    def __init__(self) -> None:
        self.upto = 0
        self._ahead: set[int] = set()

    def add(self, number: int) -> None:
        if number > self.upto:
            self._ahead.add(number)
        elif number == self.upto:
            self.skip(number + 1)

    def skip(self, upto: int) -> None:
        """Everything below `upto` is done, however that came about."""
        if upto <= self.upto:
            return
        if self._ahead:
            self._ahead = {number for number in self._ahead if number >= upto}
            while upto in self._ahead:
                self._ahead.remove(upto)
                upto += 1
        self.upto = upto


class Segment:
    """One file: appended and synced by the writer, read from the start by the publisher.

    `size` and `frames` count what was written, `synced` the bytes that survive a power cut. `turn` is its
    place in the order of publishing. A `foreign` segment was adopted: its `frames` are known when it has
    been read to its end, and only then it is `closed`; of those a former process had the first `known`
    acknowledged.
    """

    def __init__(self, path: Path, *, fd: int | None, size: int, born: float = 0.0) -> None:
        self.path = path
        self.foreign = fd is None
        self.turn = 0
        self.size = size
        self.synced = size
        self.frames = 0
        self.acked = 0
        self.contiguous = Contiguous()
        self.closed = False
        self.damaged = False
        self.born = born
        self._fd = fd
        self.known = self._read_acknowledged() if self.foreign else 0
        self._noted = self.known

    @classmethod
    def create(cls, path: Path, *, disk: Disk, now: float) -> Segment:
        fd = disk.create(path)
        try:
            disk.write(fd, SEGMENT_HEAD)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        return cls(path, fd=fd, size=len(SEGMENT_HEAD), born=now)

    @property
    def finished(self) -> bool:
        """Whether every frame that it will ever hold is acknowledged."""
        return self.closed and self.acked == self.frames

    def append(self, data: bytes, frames: int, *, disk: Disk) -> None:
        disk.write(self._writable(), data)
        self.size += len(data)
        self.frames += frames

    def sync(self, *, disk: Disk) -> None:
        disk.sync(self._writable())
        self.synced = self.size

    def close(self) -> None:
        self.closed = True
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def cut(self, frames: int) -> None:
        """Give up what is not synced, `frames` of them: a later segment takes them."""
        if self._fd is not None:
            with contextlib.suppress(OSError):  # what stays behind is a torn tail or a repeat; both are known
                os.ftruncate(self._fd, self.synced)
        self.size = self.synced
        self.frames -= frames
        self.close()

    def note_acknowledged(self) -> None:
        """Write the `.ack` file if there is news; it is advisory, so a failing disk costs repeats only."""
        upto = self.contiguous.upto
        if upto <= self._noted:
            return
        head = upto.to_bytes(8, "big")
        with contextlib.suppress(OSError):
            fd = os.open(self._ack_path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(fd, _ACK.pack(upto, zlib.crc32(head)), 0)
            finally:
                os.close(fd)
        self._noted = upto

    def _read_acknowledged(self) -> int:
        try:
            upto, crc = _ACK.unpack(self._ack_path.read_bytes())
        except (OSError, struct.error):
            return 0
        return int(upto) if zlib.crc32(int(upto).to_bytes(8, "big")) == crc else 0

    def remove(self) -> None:
        """Delete the file; a damaged one is kept aside for whoever wants to look."""
        self.close()
        with contextlib.suppress(OSError):
            if self.damaged:
                self.path.rename(self.path.with_suffix(".damaged"))
            else:
                self.path.unlink(missing_ok=True)
            self._ack_path.unlink(missing_ok=True)

    @property
    def _ack_path(self) -> Path:
        return self.path.with_suffix(".ack")

    def _writable(self) -> int:
        if self._fd is None:
            raise SpoolBroken(f"{self.path.name} is closed")
        return self._fd


@dataclass(frozen=True, slots=True)
class WorkerDirectory:
    """A directory that this process holds the lock of."""

    path: Path
    lock: int

    def segments(self) -> list[Segment]:
        """The segments that lie there, oldest first."""
        return [Segment(path, fd=None, size=path.stat().st_size) for path in sorted(self.path.glob("*.seg"))]

    def release(self) -> None:
        """Delete the directory if nothing is left in it, and let go of its lock."""
        with contextlib.suppress(OSError):
            if all(entry.name == _LOCK for entry in self.path.iterdir()):
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        os.close(self.lock)


def claim_directory(root: Path, name: str) -> tuple[WorkerDirectory, Sequence[WorkerDirectory]]:
    """Make and lock this worker's own directory; adopt those of dead workers. Raises `SpoolBroken`."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        turn = lock_root(root)
        try:
            adopted = [found for path in sorted(root.iterdir()) if (found := _adopt(path)) is not None]
            (root / name).mkdir(mode=0o700)
            own = _lock(root / name)
            _sync_directory(root)
            _sync_directory(root.parent)
        finally:
            os.close(turn)
    except OSError as error:
        raise SpoolBroken(
            f"spool {root}: {error.strerror}; the worker needs a folder of its own there"
        ) from None
    if own is None:
        raise SpoolBroken(f"spool {root / name}: locked by another process")
    return own, adopted


def _adopt(path: Path) -> WorkerDirectory | None:
    return _lock(path) if path.is_dir() and (path / _LOCK).exists() else None


def _lock(path: Path) -> WorkerDirectory | None:
    fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return WorkerDirectory(path, fd)


def lock_root(root: Path) -> int:
    """Hold the spool's lock until the descriptor is closed; `OSError` where another keeps it too long."""
    fd = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + CLAIM_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise
            time.sleep(0.01)
        else:
            return fd


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
