"""The encrypted local store on disk: one file, its key in another, one writer at a time."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path

from tachograph.credentials.errors import EntryMissing, SecretUnreadable, StoreBroken
from tachograph.credentials.private_file import KEY_BYTES, read_key, read_private, replace, stamp
from tachograph.credentials.secret import Secret, decoded
from tachograph.credentials.store_format import (
    MAX_STORE_BYTES,
    NONCE_BYTES,
    Entry,
    added,
    opened,
    removed,
    rotated,
    sealed,
)
from tachograph.schemas.secret_source import SecretSource

__all__ = ["Store"]


class Store:
    """Reads entries, and changes them. Only the newest state counts: nothing is cached."""

    def __init__(self, file: Path, *, key_file: Path) -> None:
        """Neither need exist yet; `add` makes both."""
        self._file = file
        self._key_file = key_file

    def __repr__(self) -> str:
        return f"Store({str(self._file)!r})"

    def read(self, source: SecretSource) -> Secret:
        """The entry that `source` names. Raises `OperatorError`."""
        entry = self.entries().get(source.store or "")
        if entry is None:
            raise EntryMissing(
                f"the store {self._file} has no entry {source.store}: `tacho credentials set {source.store}`"
            )
        return Secret(entry.value, f"version {entry.version}", entry.earlier)

    def stamp(self, _source: SecretSource) -> Hashable:
        """Of both files."""
        return stamp(self._file), stamp(self._key_file)

    def entries(self) -> Mapping[str, Entry]:
        """All of them by name; none where there is no store yet. Raises `StoreBroken`, `KeyUnreadable`."""
        if stamp(self._file) is None:
            return {}
        try:
            return opened(read_private(self._file, limit=MAX_STORE_BYTES), read_key(self._key_file))
        except StoreBroken as error:
            raise StoreBroken(f"store {self._file}: {error.detail}") from None
        except SecretUnreadable as error:
            raise StoreBroken(f"store {error.detail}") from None

    def add(self, name: str, value: str, *, now: str, randomness: Callable[[int], bytes]) -> None:
        """One more entry; the first makes store and key. Raises `EntryExists`."""
        with self._writing():
            self._ensure_key(randomness)
            entries = added(self.entries(), name, decoded(value, "the value"), now=now)
            self._write(entries, randomness)

    def rotate(self, name: str, value: str, *, now: str, randomness: Callable[[int], bytes]) -> None:
        """A new value for an entry. Raises `EntryMissing`."""
        with self._writing():
            entries = rotated(self.entries(), name, decoded(value, "the value"), now=now)
            self._write(entries, randomness)

    def delete(self, name: str, *, randomness: Callable[[int], bytes]) -> None:
        """Forget an entry and its earlier values. Raises `EntryMissing`."""
        with self._writing():
            self._write(removed(self.entries(), name), randomness)

    def _write(self, entries: Mapping[str, Entry], randomness: Callable[[int], bytes]) -> None:
        data = sealed(entries, read_key(self._key_file), nonce=randomness(NONCE_BYTES))
        if len(data) > MAX_STORE_BYTES:
            raise StoreBroken(f"store {self._file}: it would grow beyond {MAX_STORE_BYTES} bytes")
        try:
            replace(self._file, data)
        except OSError as error:
            raise StoreBroken(f"store {self._file}: cannot be written ({error.strerror})") from None

    def _ensure_key(self, randomness: Callable[[int], bytes]) -> None:
        """A new key, unless there is one, or a store that another key belongs to."""
        if self._key_file.exists() or self._file.exists():
            return
        self._key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._key_file, base64.b64encode(randomness(KEY_BYTES)) + b"\n")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time; another one is refused."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._file.with_name(f".{self._file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreBroken(f"store {self._file}: cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreBroken(f"store {self._file}: somebody else is changing it; try again") from None
        try:
            yield
        finally:
            os.close(lock)
