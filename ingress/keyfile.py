"""Key files: 32 random bytes in base64 that nobody but their owner can read, or a refusal that says why."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from tachograph.ingress.errors import KeysUnreadable

__all__ = ["KEY_BYTES", "check_private", "read_key"]

KEY_BYTES = 32
_MAX_FILE_BYTES = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `KeysUnreadable` for a missing, malformed or shared file."""
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()))
            text = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise KeysUnreadable(
            f"key file {path}: {error.strerror}; expected {KEY_BYTES} random bytes in base64, mode 0600"
        ) from None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KeysUnreadable(f"key file {path}: expected {KEY_BYTES} bytes in base64") from None
    if len(key) != KEY_BYTES:
        raise KeysUnreadable(f"key file {path}: expected {KEY_BYTES} bytes in base64, got {len(key)} bytes")
    return key


def check_private(path: Path, status: os.stat_result) -> None:
    """Refuse a secret's file that the group or others may read or write, or that is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise KeysUnreadable(f"{path}: expected a regular file")
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise KeysUnreadable(f"{path}: mode {mode:04o} lets others at it; run `chmod 600 {path}`")
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeysUnreadable(f"{path}: owned by uid {status.st_uid}, expected {os.geteuid()} or root")
