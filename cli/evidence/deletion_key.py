"""The key that signs statements of deletion, under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tachograph.cli.settings import Settings
    from tachograph.schemas.note import NoteSigner

__all__ = ["deletion_signer"]


def deletion_signer(told: Settings) -> NoteSigner:
    """From `keys.deletion_file`. Raises `OperatorError` where it cannot be read."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tachograph.processors.keyfile import read_key
    from tachograph.schemas.note import NoteSigner

    seed = read_key(told.base / told.configuration.keys.deletion_file)
    prefix = told.configuration.kafka.topic_prefix
    return NoteSigner(f"tachograph/{prefix}/deletion", Ed25519PrivateKey.from_private_bytes(seed))
