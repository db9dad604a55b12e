"""Open one raw record: sealed bytes and the strand's cipher in, header and payload out, or why not."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.processors.assemble import Piece
from tachograph.processors.errors import Poisoned
from tachograph.schemas.commitments import salt_key
from tachograph.schemas.envelope import SealedRecord, open_sealed, parse_sealed
from tachograph.schemas.errors import MalformedRecord, RecordError, SealBroken, UnknownVersion
from tachograph.schemas.keys import strand_name
from tachograph.schemas.payload import Payload, decode_payload

__all__ = ["open_payload", "open_piece", "parse_record", "poisoned"]

_REASONS: tuple[tuple[type[RecordError], str], ...] = (
    (UnknownVersion, "unknown-version"),
    (SealBroken, "seal-broken"),
    (MalformedRecord, "malformed"),
)


def parse_record(value: bytes | None) -> SealedRecord:
    """The record's clear part, not yet authenticated; raises `Poisoned`."""
    if value is None:
        raise Poisoned("malformed", "the record has no value")
    try:
        return parse_sealed(value)
    except RecordError as error:
        raise poisoned(error) from None


def open_payload(record: SealedRecord, cipher_for: Callable[[str], AESGCM]) -> Payload:
    """Decrypt and decode; raises `Poisoned`, or `KeyMissing` from `cipher_for` where waiting may help."""
    return _opened(record, cipher_for)[0]


def open_piece(record: SealedRecord, offset: int, cipher_for: Callable[[str], AESGCM]) -> Piece:
    """The same, with its place in the partition and the key of its documents' salts."""
    payload, cipher = _opened(record, cipher_for)
    return Piece(offset, record.header, payload.meta, payload.body, salt_key(cipher))


def _opened(record: SealedRecord, cipher_for: Callable[[str], AESGCM]) -> tuple[Payload, AESGCM]:
    header = record.header
    try:
        cipher = cipher_for(strand_name(header.session, header.epoch))
        payload = decode_payload(open_sealed(record, cipher=cipher))
    except RecordError as error:
        raise poisoned(error) from None
    if payload.meta.kind != header.type.value:
        raise Poisoned("malformed", f"a {header.type.value} record holds a {payload.meta.kind} payload")
    return payload, cipher


def poisoned(error: RecordError) -> Poisoned:
    """The dead letter's word for what the codec refused."""
    reason = next((word for kind, word in _REASONS if isinstance(error, kind)), "malformed")
    return Poisoned(reason, str(error))
