"""Key files of the processor: 32 random bytes in base64 that only their owner can read, or a refusal."""

from __future__ import annotations

from pathlib import Path

from tachograph.credentials.errors import KeyUnreadable
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.processors.errors import OperatorError
from tachograph.schemas.config import Keys
from tachograph.schemas.key_ring import KeyRing
from tachograph.schemas.keys import KeyEncryptionKey

__all__ = ["read_kek", "read_key"]


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `OperatorError` that says what to do and never shows the file's content."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        remedy = "" if path.exists() else "; `tacho up` makes the keys of a new home"
        raise OperatorError(f"{error.detail}{remedy}") from None


def read_kek(keys: Keys, *, base: Path) -> KeyRing:
    """The key-encryption key, with the earlier ones for what they have wrapped. Raises `OperatorError`."""
    current, *previous = (
        KeyEncryptionKey(read_key(base / name)) for name in (keys.kek_file, *keys.kek_previous)
    )
    return KeyRing(current, previous)
