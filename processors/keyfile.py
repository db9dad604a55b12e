"""Key files of the processor: 32 random bytes in base64 that only their owner can read, or a refusal."""

from __future__ import annotations

from pathlib import Path

from tachograph.credentials.errors import KeyUnreadable
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.processors.errors import OperatorError

__all__ = ["read_key"]


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `OperatorError` that says what to do and never shows the file's content."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        remedy = "" if path.exists() else "; `tacho up` makes the keys of a new home"
        raise OperatorError(f"{error.detail}{remedy}") from None
