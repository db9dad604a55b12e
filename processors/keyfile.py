"""Keys of the processor: files of 32 random bytes in base64 that only their owner can read, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tachograph.credentials.data_keys import ring_of, wrapper_of
from tachograph.credentials.errors import CredentialsError, KeyUnreadable
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.processors.errors import OperatorError
from tachograph.schemas.config import Configuration
from tachograph.schemas.key_ring import KeyProvider, KeyRing

__all__ = ["open_keys", "open_wrapper", "read_key"]


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `OperatorError` that says what to do and never shows the file's content."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        remedy = "" if path.exists() else "; `tacho up` makes the keys of a new home"
        raise OperatorError(f"{error.detail}{remedy}") from None


def open_keys(config: Configuration, *, base: Path) -> KeyRing:
    """What opens data keys, with what wraps new ones; nobody was asked yet. Raises `OperatorError`."""
    with _said():
        return ring_of(config, base=base)


def open_wrapper(config: Configuration, *, base: Path) -> KeyProvider:
    """What wraps data keys, for who opens none. Raises `OperatorError`."""
    with _said():
        return wrapper_of(config, base=base)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except CredentialsError as error:
        raise OperatorError(error.detail) from None
