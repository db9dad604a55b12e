"""What every place of secrets offers, and the two that are plain: the environment and private files."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Protocol

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.private_file import read_private, stamp
from tachograph.credentials.secret import MAX_SECRET_BYTES, Secret, decoded
from tachograph.schemas.secret_source import PlainSource, SecretSource

__all__ = ["Plain", "Provider", "Remote", "place", "read_plain"]


class Provider(Protocol):
    """One place of secrets. Its errors are `CredentialsError`s; `read` may block, for a bounded time."""

    def read(self, source: SecretSource) -> Secret:
        """The secret as it is now."""
        ...

    def stamp(self, source: SecretSource) -> Hashable:
        """Differs from the last one if the secret may have changed; costs next to nothing."""
        ...


class Remote(Provider, Protocol):
    """A place elsewhere, to which there are connections."""

    def close(self) -> None:
        """Close them."""
        ...


class Plain:
    """The environment, and files readable by their owner only."""

    def __init__(self, *, base: Path, environ: Mapping[str, str] | None = None) -> None:
        """Files are relative to `base`."""
        self._base = base
        self._environ = os.environ if environ is None else environ

    def read(self, source: SecretSource) -> Secret:
        """Raises `SecretUnreadable`."""
        return Secret(read_plain(source, base=self._base, environ=self._environ))

    def stamp(self, source: SecretSource) -> Hashable:
        """Of a file; an environment does not change."""
        return None if source.file is None else stamp(self._base / source.file)


def read_plain(
    source: PlainSource, *, base: Path, environ: Mapping[str, str] | None = None, shared: bool = False
) -> str:
    """The text of a secret from environment or file. Raises `SecretUnreadable`.

    `shared` takes a file that others may read, as mounted service account tokens are.
    """
    if source.file is not None:
        path = base / source.file
        return decoded(read_private(path, limit=MAX_SECRET_BYTES, shared=shared), f"file {path}")
    value = (os.environ if environ is None else environ).get(source.env or "")
    if value is None:
        raise SecretUnreadable(f"environment variable {source.env} is not set")
    return decoded(value, f"environment variable {source.env}")


def place(source: SecretSource) -> str:
    """How a source is called in a message."""
    if source.vault is not None:
        return f"Vault {source.vault.mount}/{source.vault.path}, field {source.vault.key}"
    if source.store is not None:
        return f"store entry {source.store}"
    return f"environment variable {source.env}" if source.env is not None else f"file {source.file}"
