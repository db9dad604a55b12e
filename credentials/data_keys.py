"""From a configuration to what wraps and opens data keys: a key file, or the transit engine of Vault."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.private_file import read_key
from tachograph.credentials.transit import TransitKey
from tachograph.credentials.vault_session import VaultSession
from tachograph.schemas.config import Configuration
from tachograph.schemas.key_ring import KeyProvider, KeyRing
from tachograph.schemas.keys import KeyEncryptionKey

__all__ = ["ring_of", "transit_of", "wrapper_of"]


def wrapper_of(config: Configuration, *, base: Path, environ: Mapping[str, str] | None = None) -> KeyProvider:
    """What wraps new data keys: all that a gateway needs. Speaks to nobody yet; close it at the end.

    Raises `KeyUnreadable` for a key file, `SecretUnreadable` for Vault's CA file.
    """
    if config.keys.kek_provider == "vault_transit":
        return transit_of(config, base=base, environ=environ)
    return KeyEncryptionKey(read_key(base / config.keys.kek_file))


def ring_of(config: Configuration, *, base: Path, environ: Mapping[str, str] | None = None) -> KeyRing:
    """The same with everything that opens what earlier providers have wrapped.

    Under Vault `kek_file` opens nothing: what it wrapped before is opened where `kek_previous` names it.
    """
    previous: list[KeyProvider] = [
        KeyEncryptionKey(read_key(base / name)) for name in config.keys.kek_previous
    ]
    if config.keys.transit is not None and config.keys.kek_provider != "vault_transit":
        previous.append(transit_of(config, base=base, environ=environ))
    return KeyRing(wrapper_of(config, base=base, environ=environ), previous)


def transit_of(config: Configuration, *, base: Path, environ: Mapping[str, str] | None = None) -> TransitKey:
    """The key in Vault that the configuration names. Raises `SecretUnreadable`."""
    vault, transit = config.credentials.vault, config.keys.transit
    if vault is None or transit is None:  # the configuration is checked for it
        raise SecretUnreadable("keys.transit: expected a key, and credentials.vault to reach it")
    return TransitKey(transit, VaultSession(vault, base=base, environ=environ))
