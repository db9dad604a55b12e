"""From a configuration to the keeper of its credentials, the same for whoever injects and whoever masks."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.keeper import Keeper
from tachograph.credentials.provider import Plain, Provider
from tachograph.credentials.secret import Secret
from tachograph.credentials.store import Store
from tachograph.credentials.vault import VaultProvider
from tachograph.schemas.config import Configuration
from tachograph.schemas.secret_source import CredentialSources, SecretSource

__all__ = ["Local", "identities_of", "keeper_of", "kept", "sources_of", "store_of"]


class Local:
    """Everything that lies on this machine: environment, files, the encrypted store."""

    def __init__(
        self, settings: CredentialSources, *, base: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._plain = Plain(base=base, environ=environ)
        self._store = store_of(settings, base=base)

    def read(self, source: SecretSource) -> Secret:
        """From where the source says. Raises `OperatorError`."""
        return self._of(source).read(source)

    def stamp(self, source: SecretSource) -> Hashable:
        """Of the files in question."""
        return self._of(source).stamp(source)

    def _of(self, source: SecretSource) -> Provider:
        if source.vault is not None:
            raise SecretUnreadable("expected a source on this machine, got one in Vault")
        return self._plain if source.store is None else self._store


def store_of(settings: CredentialSources, *, base: Path) -> Store:
    """The encrypted local store of a configuration."""
    return Store(base / settings.store_file, key_file=base / settings.store_key_file)


def sources_of(config: Configuration) -> Iterator[tuple[str, SecretSource]]:
    """Every source with the name of its connection."""
    for connection in config.connections:
        if connection.credential is not None:
            yield connection.name, connection.credential.source


def identities_of(config: Configuration) -> Iterator[tuple[str, SecretSource]]:
    """Every source of a client certificate with the name of its connection."""
    for connection in config.connections:
        if connection.tls.client_identity is not None:
            yield connection.name, connection.tls.client_identity


def keeper_of(
    config: Configuration,
    *,
    base: Path,
    environ: Mapping[str, str] | None = None,
    cautious: bool = False,
    growing: bool = False,
) -> Keeper:
    """A keeper of every connection's secrets; `cautious` for who injects. Raises `SecretUnreadable`.

    `growing`: connections may come later, so Vault is reached even where no secret lies there yet.
    """
    settings = config.credentials
    sources = [source for _, source in (*sources_of(config), *identities_of(config))]
    environ = os.environ if environ is None else environ
    vault = None
    if settings.vault is not None and (growing or any(source.vault is not None for source in sources)):
        vault = VaultProvider(settings.vault, base=base, environ=environ)
    return Keeper(
        sources,
        Local(settings, base=base, environ=environ),
        vault,
        stale_seconds=settings.stale_seconds,
        refresh_seconds=settings.vault.refresh_seconds if settings.vault is not None else 30.0,
        cautious=cautious,
    )


@contextmanager
def kept(keeper: Keeper) -> Iterator[Keeper]:
    """A keeper that asks Vault while it is used."""
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()
