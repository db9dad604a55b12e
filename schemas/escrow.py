"""The escrow of removed values: each sealed so that two holders together can open it, and neither alone.

A record of the escrow has two random keys, one sealed to each holder (HPKE, RFC 9180). A value's key is the
XOR of what follows from both for this value, so a holder's share opens one value of one record, no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tachograph.schemas.commitments import MAX_REMOVED, value_salt
from tachograph.schemas.errors import MalformedRecord, SealBroken

__all__ = [
    "HOLDERS",
    "MAX_VALUE_BYTES",
    "EscrowRecord",
    "Holders",
    "Share",
    "Taken",
    "holder_id",
    "open_share",
    "open_value",
    "public_key",
    "public_text",
    "seal_taken",
]

HOLDERS = 2
MAX_VALUE_BYTES = 1 << 20
"""A larger value is not escrowed."""
MAX_PART_BYTES = 1 << 20
"""Values of one document beyond it go into a further record: base64 and the largest fit into a message."""
SALT_BYTES = 32
_KEY_BYTES = 32
_ID_CHARS = 16
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_LABEL = b"tachograph/escrow/1\0"
_NONCE = bytes(12)
"""A value's key is used once."""

Holders = tuple[X25519PublicKey, X25519PublicKey]
Randomness = Callable[[int], bytes]
Index = Annotated[int, Field(ge=0, lt=MAX_REMOVED)]
Sealed = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@dataclass(frozen=True, slots=True)
class Taken:
    """What masking took out of one record, in the order of its commitments; in memory only."""

    session: str
    uid: str
    salt_key: bytes = field(repr=False)
    values: tuple[bytes, ...] = field(repr=False)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HeldKey(_Strict):
    """The half of a record's key that one holder can open."""

    holder: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    sealed: Sealed = Field(repr=False)


class Entry(_Strict):
    """One value with its salt, encrypted under a key of its own."""

    index: Index
    sealed: Sealed = Field(repr=False)


class EscrowRecord(_Strict):
    """The value of one message on the escrow topic."""

    v: Literal[1] = 1
    uid: Uuid
    session: Uuid
    keys: Annotated[tuple[HeldKey, ...], Field(min_length=HOLDERS, max_length=HOLDERS, strict=False)]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1, max_length=MAX_REMOVED, strict=False)]

    @property
    def name(self) -> bytes:
        """The message's key: by session, so that what was erased is found without opening a record."""
        return f"{self.session}/{self.uid}/{self.entries[0].index}".encode()

    def entry(self, index: int) -> Entry | None:
        """The value with this number, where it is in this record."""
        return next((item for item in self.entries if item.index == index), None)

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes) -> EscrowRecord:
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise MalformedRecord("escrow record: not of version 1") from None


class Share(_Strict):
    """What one holder gives so that one value can be opened. Worth nothing without the other's."""

    v: Literal[1] = 1
    uid: Uuid
    index: Index
    entry: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the encrypted value that it is for."""
    holder: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    share: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Share:
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise MalformedRecord("share: not what `tacho escrow open` writes") from None


def public_text(key: X25519PublicKey) -> str:
    """A holder's public key as the configuration names it."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def public_key(text: str) -> X25519PublicKey:
    """The public key in such a text. Raises `ValueError`, which shows nothing of it."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected the base64 of an X25519 public key") from None
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"expected a public key of {_KEY_BYTES} bytes, got {len(raw)}")
    return X25519PublicKey.from_public_bytes(raw)


def holder_id(key: X25519PublicKey) -> str:
    """How records and shares name a holder."""
    return hashlib.sha256(_LABEL + b"holder" + key.public_bytes_raw()).hexdigest()[:_ID_CHARS]


def seal_taken(taken: Taken, holders: Holders, randomness: Randomness) -> Iterator[EscrowRecord]:
    """The records for what was taken out of one document; none for values beyond the bounds."""
    part: list[tuple[int, bytes]] = []
    size = 0
    for index, value in enumerate(taken.values[:MAX_REMOVED]):
        if len(value) > MAX_VALUE_BYTES:
            continue
        if part and size + len(value) > MAX_PART_BYTES:
            yield _sealed(taken, part, holders, randomness)
            part, size = [], 0
        part.append((index, value))
        size += len(value)
    if part:
        yield _sealed(taken, part, holders, randomness)


def open_share(record: EscrowRecord, index: int, key: X25519PrivateKey) -> Share:
    """The holder's share of one value. Raises `SealBroken` for who is no holder of it, or altered bytes."""
    holder, entry = holder_id(key.public_key()), _entry(record, index)
    held = next((item for item in record.keys if item.holder == holder), None)
    if held is None:
        raise SealBroken(f"record {record.uid}: sealed for {_names(record)}, this key is of holder {holder}")
    try:
        half = _SUITE.decrypt(base64.b64decode(held.sealed), key, info=_place(record))
    except (InvalidTag, ValueError):
        raise SealBroken(f"record {record.uid}: the key of holder {holder} is altered") from None
    share = _value_key(half, record.uid, index).hex()
    return Share(uid=record.uid, index=index, entry=_digest(entry), holder=holder, share=share)


def open_value(record: EscrowRecord, shares: Sequence[Share]) -> tuple[bytes, bytes]:
    """Salt and value, from the shares of both holders. Raises `SealBroken`."""
    holders = {item.holder for item in shares}
    if len(shares) != HOLDERS or holders != {item.holder for item in record.keys}:
        raise SealBroken(f"record {record.uid}: expected one share each of holders {_names(record)}")
    entry = _entry(record, shares[0].index)
    places = {(item.uid, item.index, item.entry) for item in shares}
    if places != {(record.uid, entry.index, _digest(entry))}:
        raise SealBroken(f"record {record.uid}: the shares are of another value; open both again")
    key = _xor(*(bytes.fromhex(item.share) for item in shares))
    try:
        data = AESGCM(key).decrypt(
            _NONCE, base64.b64decode(entry.sealed), _about(record.uid, entry.index, record.session)
        )
    except (InvalidTag, ValueError):
        raise SealBroken(f"record {record.uid}: the value {entry.index} or a share is altered") from None
    return data[:SALT_BYTES], data[SALT_BYTES:]


def _sealed(
    taken: Taken, part: Sequence[tuple[int, bytes]], holders: Holders, randomness: Randomness
) -> EscrowRecord:
    halves = [randomness(_KEY_BYTES) for _ in holders]
    place = _LABEL + f"{taken.session}/{taken.uid}".encode()
    keys = tuple(
        HeldKey(holder=holder_id(holder), sealed=_text(_SUITE.encrypt(half, holder, info=place)))
        for holder, half in zip(holders, halves, strict=True)
    )
    entries = tuple(Entry(index=index, sealed=_text(_encrypted(taken, index, value, halves)))
                    for index, value in part)  # fmt: skip
    return EscrowRecord(uid=taken.uid, session=taken.session, keys=keys, entries=entries)


def _encrypted(taken: Taken, index: int, value: bytes, halves: Sequence[bytes]) -> bytes:
    key = _xor(*(_value_key(half, taken.uid, index) for half in halves))
    salt = value_salt(taken.salt_key, taken.uid, index)
    return AESGCM(key).encrypt(_NONCE, salt + value, _about(taken.uid, index, taken.session))


def _value_key(half: bytes, uid: str, index: int) -> bytes:
    return hmac.digest(half, _LABEL + f"{uid}/{index}".encode(), "sha256")


def _about(uid: str, index: int, session: str) -> bytes:
    return _LABEL + f"{session}/{uid}/{index}".encode()


def _place(record: EscrowRecord) -> bytes:
    return _LABEL + f"{record.session}/{record.uid}".encode()


def _entry(record: EscrowRecord, index: int) -> Entry:
    found = record.entry(index)
    if found is None:
        raise SealBroken(f"record {record.uid}: no value {index} is in it")
    return found


def _digest(entry: Entry) -> str:
    return hashlib.sha256(entry.sealed.encode()).hexdigest()


def _names(record: EscrowRecord) -> str:
    return " and ".join(item.holder for item in record.keys)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
