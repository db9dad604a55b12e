"""A key provider whose key never leaves Vault: the transit engine wraps and opens, over one session with it.

Who wraps needs to be allowed `encrypt`, who opens `decrypt`. Both block for a bounded time.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import VaultRefused
from tachograph.credentials.transit_api import data_key_in, decrypt, encrypt, key_name, wrapped_in
from tachograph.credentials.vault_session import VaultSession
from tachograph.schemas.envelope import DATA_KEY_BYTES
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.key_settings import Transit
from tachograph.schemas.keys import WrappedKey

__all__ = ["TransitKey"]

_PROBE = "no strand"
_MADE_UP = "vault:v1:" + "A" * 80


class TransitKey:
    """One key of one transit engine, in its newest version for what is new."""

    local = False

    def __init__(self, settings: Transit, session: VaultSession) -> None:
        """The session is its own."""
        self._settings = settings
        self._session = session

    def __repr__(self) -> str:
        return f"TransitKey({key_name(self._settings)!r})"

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def current(self) -> str:
        """Its name with its newest version, asked by wrapping nothing. Raises `CredentialsError`."""
        return self.wrap(_PROBE, bytes(DATA_KEY_BYTES)).kek

    def refusals(self) -> tuple[str, str]:
        """Why this login may not wrap, and why it may not open; empty where it may. Raises `VaultDown`."""
        made_up = WrappedKey(strand=_PROBE, kek=f"{key_name(self._settings)}:v1", wrapped=_MADE_UP)
        wrap = open_ = ""
        try:
            made_up = self.wrap(_PROBE, bytes(DATA_KEY_BYTES))
        except VaultRefused as error:
            wrap = error.detail
        try:
            self.data_key(made_up)
        except VaultRefused as error:
            open_ = error.detail
        except SealBroken:  # Vault has tried, as it would with any
            pass
        return wrap, open_

    def holds(self, kek: str) -> bool:
        """Whether it was this key, in whichever version."""
        return kek.rpartition(":v")[0] == key_name(self._settings)

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        """Raises `VaultRefused`, `VaultDown` or `SecretUnreadable`."""
        return wrapped_in(
            self._session.ask(encrypt(self._settings, strand, data_key)), self._settings, strand
        )

    def data_key(self, key: WrappedKey) -> bytes:
        """Raises `SealBroken` where the wrapped key is at fault, else as `wrap` does."""
        return data_key_in(self._session.ask(decrypt(self._settings, key)), self._settings, key.strand)

    def unwrap(self, key: WrappedKey) -> AESGCM:
        """The strand's cipher; raises as `data_key` does."""
        return AESGCM(self.data_key(key))
