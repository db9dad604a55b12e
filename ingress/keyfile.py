"""Key files of the ingress: 32 random bytes in base64 that nobody but their owner can read, or a refusal."""

from __future__ import annotations

from pathlib import Path

from tachograph.credentials.errors import KeyUnreadable
from tachograph.credentials.private_file import KEY_BYTES
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.ingress.errors import KeysUnreadable

__all__ = ["KEY_BYTES", "read_key"]


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `KeysUnreadable` for a missing, malformed or shared file."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        raise KeysUnreadable(error.detail) from None
