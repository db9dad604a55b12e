"""Secrets in the key-value engines of Vault; blocking, in a thread of its own (`keeper.py`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.secret import Secret
from tachograph.credentials.vault_api import read_secret, secret_in
from tachograph.credentials.vault_session import VaultSession
from tachograph.schemas.secret_source import SecretSource, Vault

__all__ = ["VaultProvider"]


class VaultProvider:
    """One Vault, one login."""

    def __init__(
        self,
        settings: Vault,
        *,
        base: Path,
        environ: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Speaks to nobody yet. Raises `SecretUnreadable` for a CA file that will not do."""
        self._address = settings.address
        self._monotonic = monotonic
        self._session = VaultSession(settings, base=base, environ=environ, monotonic=monotonic)

    def __repr__(self) -> str:
        return f"VaultProvider({self._address!r})"

    def close(self) -> None:
        """Close its connections; the token is left to expire."""
        self._session.close()

    def stamp(self, _source: SecretSource) -> Hashable:
        """Only asking tells whether something has changed."""
        return self._monotonic()

    def read(self, source: SecretSource) -> Secret:
        """The newest version. Raises `VaultRefused`, `VaultDown` or `SecretUnreadable`."""
        if source.vault is None:
            raise SecretUnreadable("expected a secret in Vault")
        return secret_in(self._session.ask(read_secret(source.vault)), source.vault)
