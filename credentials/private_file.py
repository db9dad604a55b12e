"""Files that hold secrets: read whole and at once, and only where nobody but their owner can get at them.

A symbolic link is followed, because that is how mounted secrets are rotated: what counts is the file itself,
judged by the same descriptor that is read.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from tachograph.credentials.errors import KeyUnreadable, OperatorError, SecretUnreadable

__all__ = ["KEY_BYTES", "Stamp", "read_key", "read_private", "replace", "stamp"]

KEY_BYTES = 32
READ_TRIES = 3
"""How often a file that changes while it is read is read again."""
_MAX_KEY_BYTES = 4096

Stamp = tuple[int, int, int, int]
"""Inode, size, and both times in nanoseconds: differs when a file was replaced or written to."""


def stamp(path: Path) -> Stamp | None:
    """What tells one content of a file from the next without reading it; None where there is no file."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def read_private(path: Path, *, limit: int, shared: bool = False) -> bytes:
    """All of a file of at most `limit` bytes. Raises `SecretUnreadable`.

    `shared` takes a file that others may read, but not write: a mounted token of the platform's.
    """
    try:
        for _ in range(READ_TRIES):
            if (data := _read_once(path, limit + 1, shared=shared)) is not None:
                break
        else:
            raise SecretUnreadable(f"file {path}: it changes while it is read; put a new one in its place")
    except OSError as error:
        raise SecretUnreadable(f"file {path}: {error.strerror}") from None
    if len(data) > limit:
        raise SecretUnreadable(f"file {path}: expected at most {limit} bytes")
    return data


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file in base64. Raises `KeyUnreadable`."""
    expected = f"{KEY_BYTES} random bytes in base64, mode 0600"
    try:
        key = base64.b64decode(read_private(path, limit=_MAX_KEY_BYTES).strip(), validate=True)
    except OperatorError as error:
        raise KeyUnreadable(f"key {error.detail}; expected {expected}") from None
    except (binascii.Error, ValueError):
        raise KeyUnreadable(f"key file {path}: expected {expected}") from None
    if len(key) != KEY_BYTES:
        raise KeyUnreadable(f"key file {path}: expected {expected}, got {len(key)} bytes")
    return key


def replace(path: Path, data: bytes) -> None:
    """Put a file with mode 0600 in the place of what is there, in one step and durably. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(number, 0o600)
            file.write(data)
            file.flush()
            os.fsync(number)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_once(path: Path, size: int, *, shared: bool) -> bytes | None:
    """None where the file was written to while it was read."""
    # Without O_NONBLOCK the opening of a pipe would wait for somebody to write into it.
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        before = os.fstat(number)
        _check(path, before, shared=shared)
        data = file.read(size)
        return data if _stamp(before) == _stamp(os.fstat(number)) else None


def _check(path: Path, status: os.stat_result, *, shared: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretUnreadable(f"file {path}: expected a regular file")
    others = stat.S_IWGRP | stat.S_IWOTH if shared else stat.S_IRWXG | stat.S_IRWXO
    if status.st_mode & others:
        mode = stat.S_IMODE(status.st_mode)
        raise SecretUnreadable(f"file {path}: mode {mode:04o} lets others at it; run `chmod 600 {path}`")
    if status.st_uid not in {os.geteuid(), 0}:
        raise SecretUnreadable(f"file {path}: owned by uid {status.st_uid}, expected {os.geteuid()} or root")


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
