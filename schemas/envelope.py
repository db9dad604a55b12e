"""The sealed record: what lies in the raw topic and in the spool. Clear header, encrypted payload.

Layout: "TG" | version 1 | 0 | 4 bytes big-endian length of header | header (canonical JSON) | AES-256-GCM.
The data key belongs to one strand and `seq` never repeats in it, so `seq` is the nonce. Everything
before the ciphertext is the associated data: a header moved to another payload does not open.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.schemas.errors import MalformedRecord, SealBroken, UnknownVersion
from tachograph.schemas.event import Header
from tachograph.schemas.payload import raw_commit

__all__ = ["DATA_KEY_BYTES", "SealedRecord", "nonce", "open_sealed", "parse_sealed", "seal"]

DATA_KEY_BYTES = 32
_MAGIC = b"TG"
_VERSION = 1
_PREFIX = struct.Struct(">2sBBI")
_TAG_BYTES = 16
MAX_HEADER_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A parsed but still closed record: the header is read, not yet authenticated."""

    header: Header
    associated: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"SealedRecord(uid={self.header.uid}, ciphertext=<{len(self.ciphertext)} bytes>)"


def nonce(seq: int) -> bytes:
    """96 bits from the record's place in its strand."""
    return seq.to_bytes(12, "big")


def seal(canonical_header: bytes, seq: int, payload: bytes, *, cipher: AESGCM) -> bytes:
    """Encrypt a payload under the strand's cipher; `canonical_header` must be `Header.canonical()` of it."""
    associated = _PREFIX.pack(_MAGIC, _VERSION, 0, len(canonical_header)) + canonical_header
    return associated + cipher.encrypt(nonce(seq), payload, associated)


def parse_sealed(data: bytes) -> SealedRecord:
    """Read the clear part. Refuses unknown versions; says nothing yet about authenticity."""
    if len(data) < _PREFIX.size + _TAG_BYTES:
        raise MalformedRecord(
            f"sealed record: expected at least {_PREFIX.size + _TAG_BYTES} bytes, got {len(data)}"
        )
    magic, version, flags, length = _PREFIX.unpack_from(data)
    if magic != _MAGIC:
        raise UnknownVersion("sealed record: not written by Tachograph")
    if (version, flags) != (_VERSION, 0):
        raise UnknownVersion(
            f"sealed record: expected version {_VERSION} flags 0, got {version} flags {flags}"
        )
    end = _PREFIX.size + length
    if length > MAX_HEADER_BYTES or len(data) < end + _TAG_BYTES:
        raise MalformedRecord(f"sealed record: a header of {length} bytes does not fit in {len(data)} bytes")
    return SealedRecord(Header.parse(data[_PREFIX.size : end]), data[:end], data[end:])


def open_sealed(record: SealedRecord, *, cipher: AESGCM) -> bytes:
    """Decrypt and authenticate; returns the payload bytes, which also match the header's commitment."""
    try:
        payload = cipher.decrypt(nonce(record.header.seq), record.ciphertext, record.associated)
    except InvalidTag:
        raise SealBroken(f"record {record.header.uid}: altered, or sealed under another key") from None
    if raw_commit(payload) != record.header.raw_commit:
        raise SealBroken(f"record {record.header.uid}: the payload is not what the header commits to")
    return payload
