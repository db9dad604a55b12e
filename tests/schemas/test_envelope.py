"""The sealed record opens with its key, its header and its place, and with nothing else."""

from __future__ import annotations

import struct
import uuid

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.envelope import MAX_HEADER_BYTES, nonce, open_sealed, parse_sealed, seal
from tachograph.schemas.errors import MalformedRecord, RecordError, SealBroken, UnknownVersion
from tachograph.schemas.event import GENESIS, EventType, Header, Principal, PrincipalKind, event_uid
from tachograph.schemas.payload import SessionCloseMeta, encode_payload, raw_commit

CIPHER = AESGCM(bytes(range(32)))
SESSION, EPOCH = uuid.UUID(int=1), uuid.UUID(int=2)
SECRET = b"hunter2 in the clear"
PAYLOAD = encode_payload(SessionCloseMeta(records=1, reason="idle"), SECRET, salt=bytes(16))


def header(seq: int = 5, payload: bytes = PAYLOAD) -> Header:
    return Header(
        uid=event_uid(SESSION, EPOCH, seq),
        type=EventType.SESSION_CLOSE,
        ts="2026-11-23T00:00:00.000000000Z",
        session=SESSION,
        epoch=EPOCH,
        seq=seq,
        prev=GENESIS,
        principal=Principal(id="gateway", kind=PrincipalKind.GATEWAY),
        raw_commit=raw_commit(payload),
        raw_len=len(SECRET),
    )


def sealed(seq: int = 5, payload: bytes = PAYLOAD) -> bytes:
    return seal(header(seq, payload).canonical(), seq, payload, cipher=CIPHER)


@given(st.binary(), st.integers(0, 2**53 - 1))
def test_a_record_opens_to_what_was_sealed(body: bytes, seq: int) -> None:
    """Header and payload come back, for every body and place."""
    payload = encode_payload(SessionCloseMeta(records=1, reason="idle"), body, salt=bytes(16))
    record = parse_sealed(sealed(seq, payload))
    assert record.header == header(seq, payload)
    assert open_sealed(record, cipher=CIPHER) == payload


def test_the_payload_is_not_in_clear() -> None:
    """Neither in the record nor in its repr."""
    assert SECRET not in sealed()
    assert (
        repr(parse_sealed(sealed()))
        == f"SealedRecord(uid={header().uid}, ciphertext=<{len(PAYLOAD) + 16} bytes>)"
    )


def test_every_flipped_byte_is_found() -> None:
    """Prefix, header, ciphertext, tag: no single altered byte passes."""
    good = sealed()
    for place in range(len(good)):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        with pytest.raises(RecordError):
            open_sealed(parse_sealed(bad), cipher=CIPHER)


def test_every_cut_is_found() -> None:
    """A record cut anywhere does not open."""
    good = sealed()
    for end in range(len(good)):
        with pytest.raises(RecordError):
            open_sealed(parse_sealed(good[:end]), cipher=CIPHER)


def test_a_header_does_not_move_to_another_payload() -> None:
    """The header is the associated data of its own payload."""
    one, other = parse_sealed(sealed(5)), sealed(6)
    swapped = one.associated + parse_sealed(other).ciphertext
    with pytest.raises(SealBroken, match="altered"):
        open_sealed(parse_sealed(swapped), cipher=CIPHER)


def test_another_key_does_not_open() -> None:
    """The refusal names the record and nothing of it."""
    with pytest.raises(SealBroken, match=str(header().uid)):
        open_sealed(parse_sealed(sealed()), cipher=AESGCM(bytes(32)))


def test_the_key_s_owner_cannot_swap_the_payload_either() -> None:
    """Sealed anew under the right key, a payload that the header does not commit to is refused."""
    other = encode_payload(SessionCloseMeta(records=2, reason="idle"), b"", salt=bytes(16))
    forged = seal(header().canonical(), 5, other, cipher=CIPHER)
    with pytest.raises(SealBroken, match="commits"):
        open_sealed(parse_sealed(forged), cipher=CIPHER)


@pytest.mark.parametrize("prefix", [b"XX\x01\x00", b"TG\x02\x00", b"TG\x00\x00", b"TG\x01\x01"])
def test_another_version_is_refused(prefix: bytes) -> None:
    """Magic, version and flags are all that they are."""
    with pytest.raises(UnknownVersion):
        parse_sealed(prefix + sealed()[4:])


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data: bytes) -> None:
    """Nothing but our refusals comes out of parsing."""
    with pytest.raises(RecordError):
        parse_sealed(data)


@pytest.mark.parametrize("length", [MAX_HEADER_BYTES + 1, 2**32 - 1])
def test_a_header_s_length_is_bounded(length: int) -> None:
    """A length that lies allocates nothing."""
    with pytest.raises(MalformedRecord, match="does not fit"):
        parse_sealed(struct.pack(">2sBBI", b"TG", 1, 0, length) + bytes(1000))


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_nonces_never_repeat_in_a_strand(one: int, other: int) -> None:
    """96 bits, different for each place."""
    assert len(nonce(one)) == 12
    assert (nonce(one) == nonce(other)) == (one == other)
