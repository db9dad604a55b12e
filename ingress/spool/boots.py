"""Which boot used a spool's folder last, in one file, so that each boot can name the one before it; and which
boots are over, by the folders that they left."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from tachograph.ingress.errors import SpoolBroken
from tachograph.ingress.spool.files import WorkerDirectory, lock_root

__all__ = ["boots_of", "follow"]

_FILE = "last-boot"
_LENGTH = 36


def follow(root: Path, boot: uuid.UUID) -> uuid.UUID | None:
    """Put this boot in the place of the last one, which is returned; None where nobody knows of any.

    Workers that start at the same time do so one after the other. Raises `SpoolBroken`.
    """
    try:
        turn = lock_root(root)
        try:
            return _swap(root / _FILE, boot)
        finally:
            os.close(turn)
    except OSError as error:
        raise SpoolBroken(f"spool {root}: {error.strerror}; the worker notes its start there") from None


def boots_of(adopted: Iterable[WorkerDirectory]) -> list[uuid.UUID]:
    """The boots whose folders these are: each is over, or its folder could not have been adopted."""
    found: list[uuid.UUID] = []
    for directory in adopted:
        with contextlib.suppress(ValueError):  # a folder that no boot made
            found.append(uuid.UUID(directory.path.name))
    return found


def _swap(path: Path, boot: uuid.UUID) -> uuid.UUID | None:
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        before = os.read(number, _LENGTH)
        # In place: a write that was torn leaves no UUID, and no UUID is nobody.
        os.pwrite(number, str(boot).encode(), 0)
        os.fsync(number)
    finally:
        os.close(number)
    try:
        return uuid.UUID(before.decode())
    except ValueError:
        return None
