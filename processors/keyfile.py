"""Read a key from its file: 32 random bytes, base64, readable by its owner only."""

from __future__ import annotations

import base64
import binascii
import stat
from pathlib import Path

from tachograph.processors.errors import OperatorError

__all__ = ["read_key"]

_KEY_BYTES = 32
_MAX_FILE_BYTES = 4096


def read_key(path: Path) -> bytes:
    """The key's bytes; raises `OperatorError` that says what to do and never shows the file's content."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:_MAX_FILE_BYTES].strip()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; create it with `tacho keys`") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorError(f"{path}: readable by others than its owner; run `chmod 600 {path}`")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise OperatorError(f"{path}: expected base64 of {_KEY_BYTES} bytes, got something else") from None
    if len(key) != _KEY_BYTES:
        raise OperatorError(f"{path}: expected base64 of {_KEY_BYTES} bytes, got {len(key)} bytes")
    return key
