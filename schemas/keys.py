"""Data keys and what wraps them: one AES-256 key a strand, wrapped by the operator's key-encryption key.

A wrapped key travels on the compacted keys topic under its strand's name; a tombstone there shreds every
copy of the strand's raw bytes. The key-encryption key comes in as bytes; where it is kept is not our law.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable
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

__all__ = ["KEK_BYTES", "KeyEncryptionKey", "WrappedKey", "strand_name"]

KEK_BYTES = 32


class WrappedKey(BaseModel):
    """The value of one record on the keys topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    strand: str
    kek: str
    wrapped: str
    """RFC 5649 key wrap, base64."""

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> WrappedKey:
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise MalformedRecord("wrapped key: not of version 1") from None


class KeyEncryptionKey:
    """Wraps and unwraps data keys; derives the gateway's other keys. `repr` shows the key's id only.

    What earlier ones have wrapped, `previous`, it unwraps too, until it is rewrapped.
    """

    def __init__(self, secret: bytes, previous: Iterable[bytes] = ()) -> None:
        if len(secret) != KEK_BYTES:
            raise ValueError(f"key-encryption key: expected {KEK_BYTES} bytes, got {len(secret)}")
        self._secret = secret
        self.id = sha256_hex(b"tachograph kek id" + secret)[:16]
        self._previous = {key.id: key for key in map(KeyEncryptionKey, previous)}

    def __repr__(self) -> str:
        return f"KeyEncryptionKey(id={self.id!r})"

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        wrapped = aes_key_wrap_with_padding(self._wrapping(strand), data_key)
        return WrappedKey(strand=strand, kek=self.id, wrapped=base64.b64encode(wrapped).decode())

    def unwrap(self, key: WrappedKey) -> AESGCM:
        """The strand's cipher; refuses a key wrapped by another key-encryption key or for another strand."""
        return AESGCM(self._data_key(key))

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key, wrapped by this one. Raises `SealBroken` as `unwrap` does."""
        return self.wrap(key.strand, self._data_key(key))

    def _data_key(self, key: WrappedKey) -> bytes:
        if key.kek in self._previous:
            return self._previous[key.kek]._data_key(key)  # noqa: SLF001  of its own class
        if key.kek != self.id:
            raise SealBroken(f"strand {key.strand}: wrapped by key {key.kek}, this process holds {self.id}")
        try:
            data_key = aes_key_unwrap_with_padding(
                self._wrapping(key.strand), base64.b64decode(key.wrapped, validate=True)
            )
        except (InvalidUnwrap, binascii.Error, ValueError):
            raise SealBroken(f"strand {key.strand}: the wrapped key does not open") from None
        if len(data_key) != DATA_KEY_BYTES:
            raise SealBroken(f"strand {key.strand}: expected a key of {DATA_KEY_BYTES} bytes")
        return data_key

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one named purpose (HKDF-SHA-256); the same bytes for the same name and key."""
        return HKDF(
            algorithm=hashes.SHA256(), length=32, salt=None, info=b"tachograph " + purpose.encode()
        ).derive(self._secret)

    def _wrapping(self, strand: str) -> bytes:
        # RFC 5649 takes no associated data, so the strand's name goes into the wrapping key instead.
        return self.derive(f"wrap {strand}")


def strand_name(session: uuid.UUID, epoch: uuid.UUID) -> str:
    """The key of the strand on the keys topic."""
    return f"{session}/{epoch}"
