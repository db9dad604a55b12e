"""Data keys and what wraps them: one AES-256 key a strand, wrapped by a key-encryption key of the operator's.

A wrapped key travels on the compacted keys topic under its strand's name; a tombstone there shreds every
copy of the strand's raw bytes. `KeyEncryptionKey` is one that lies in a file; it comes in as bytes.
What others offer is `key_ring.KeyProvider`.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.envelope import DATA_KEY_BYTES
from tachograph.schemas.errors import MalformedRecord, SealBroken

__all__ = ["KEK_BYTES", "KeyEncryptionKey", "WrappedKey", "checked", "strand_name"]

KEK_BYTES = 32


class WrappedKey(BaseModel):
    """The value of one record on the keys topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    strand: str
    kek: str
    """What wrapped it: the id of a key file's key, or `vault:MOUNT/KEY:vN`."""
    wrapped: str
    """By a key file: RFC 5649 key wrap, base64. By Vault's transit engine: its ciphertext as it came."""

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> WrappedKey:
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise MalformedRecord("wrapped key: not of version 1") from None


class KeyEncryptionKey:
    """Wraps and opens data keys by a secret in memory; derives the gateway's other keys.

    `repr` shows the key's id only.
    """

    local = True
    """It answers at once."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEK_BYTES:
            raise ValueError(f"key-encryption key: expected {KEK_BYTES} bytes, got {len(secret)}")
        self._secret = secret
        self.id = sha256_hex(b"tachograph kek id" + secret)[:16]

    def __repr__(self) -> str:
        return f"KeyEncryptionKey(id={self.id!r})"

    def current(self) -> str:
        """Its id."""
        return self.id

    def holds(self, kek: str) -> bool:
        """Whether it is this one."""
        return kek == self.id

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        """The data key of this strand, for nobody else's name."""
        wrapped = aes_key_wrap_with_padding(self._wrapping(strand), data_key)
        return WrappedKey(strand=strand, kek=self.id, wrapped=base64.b64encode(wrapped).decode())

    def unwrap(self, key: WrappedKey) -> AESGCM:
        """The strand's cipher; refuses a key wrapped by another key-encryption key or for another strand."""
        return AESGCM(self.data_key(key))

    def data_key(self, key: WrappedKey) -> bytes:
        """What was wrapped. Raises `SealBroken` as `unwrap` does."""
        if key.kek != self.id:
            raise SealBroken(f"strand {key.strand}: wrapped by key {key.kek}, this process holds {self.id}")
        try:
            data_key = aes_key_unwrap_with_padding(
                self._wrapping(key.strand), base64.b64decode(key.wrapped, validate=True)
            )
        except (InvalidUnwrap, binascii.Error, ValueError):
            raise SealBroken(f"strand {key.strand}: the wrapped key does not open") from None
        return checked(data_key, key.strand)

    def close(self) -> None:
        """Nothing to let go of."""

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one named purpose (HKDF-SHA-256); the same bytes for the same name and key."""
        return HKDF(
            algorithm=hashes.SHA256(), length=32, salt=None, info=b"tachograph " + purpose.encode()
        ).derive(self._secret)

    def _wrapping(self, strand: str) -> bytes:
        # RFC 5649 takes no associated data, so the strand's name goes into the wrapping key instead.
        return self.derive(f"wrap {strand}")


def checked(data_key: bytes, strand: str) -> bytes:
    """A data key as it came out of its wrapping. Raises `SealBroken` for one of another size."""
    if len(data_key) != DATA_KEY_BYTES:
        raise SealBroken(f"strand {strand}: expected a key of {DATA_KEY_BYTES} bytes")
    return data_key


def strand_name(session: uuid.UUID, epoch: uuid.UUID) -> str:
    """The key of the strand on the keys topic."""
    return f"{session}/{epoch}"
