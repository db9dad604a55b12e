"""Keys of the ingress: files of 32 random bytes in base64 that only their owner can read, or a refusal."""

from __future__ import annotations

from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.credentials.data_keys import wrapper_of
from tachograph.credentials.errors import KeyUnreadable, OperatorError
from tachograph.credentials.private_file import KEY_BYTES
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.ingress.errors import KeysUnreadable
from tachograph.schemas.config import Configuration
from tachograph.schemas.heartbeat import gateway_name
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.note import NoteSigner

__all__ = ["KEY_BYTES", "open_wrapper", "read_key", "read_signer"]

_log = structlog.get_logger(__name__)


def read_key(path: Path) -> bytes:
    """The key's 32 bytes; raises `KeysUnreadable` for a missing, malformed or shared file."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        raise KeysUnreadable(error.detail) from None


def open_wrapper(config: Configuration, *, base: Path) -> KeyProvider:
    """What wraps data keys; it was not asked yet. Raises `KeysUnreadable` for a key or CA file."""
    try:
        return wrapper_of(config, base=base)
    except OperatorError as error:
        raise KeysUnreadable(error.detail) from None


def read_signer(config: Configuration, *, base: Path) -> NoteSigner | None:
    """Who certifies a boot; None, and a word in the log, where there is no such key."""
    file = base / config.keys.signing_file
    if not file.exists():
        _log.warning("heartbeats_off", reason=f"{file} is missing: a lost strand or tail will not show")
        return None
    private = Ed25519PrivateKey.from_private_bytes(read_key(file))
    return NoteSigner(gateway_name(config.kafka.topic_prefix), private)
