"""Data keys are wrapped for one strand, by one key; everything else is refused."""

from __future__ import annotations

import base64
import os
import uuid

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.envelope import DATA_KEY_BYTES
from tachograph.schemas.errors import MalformedRecord, SealBroken
from tachograph.schemas.keys import KEK_BYTES, KeyEncryptionKey, WrappedKey, strand_name

SECRET = bytes(range(KEK_BYTES))
KEK = KeyEncryptionKey(SECRET)
STRAND = strand_name(uuid.UUID(int=1), uuid.UUID(int=2))
KEYS = st.binary(min_size=DATA_KEY_BYTES, max_size=DATA_KEY_BYTES)


@given(KEYS, st.binary(), st.text())
def test_a_wrapped_key_opens_what_the_data_key_sealed(data_key: bytes, text: bytes, strand: str) -> None:
    """Through its bytes on the topic, too."""
    wrapped = WrappedKey.decode(KEK.wrap(strand, data_key).encode())
    ciphertext = AESGCM(data_key).encrypt(bytes(12), text, None)
    assert KEK.unwrap(wrapped).decrypt(bytes(12), ciphertext, None) == text


def test_another_key_is_refused_by_name() -> None:
    """Both keys are named by their ids, which say nothing of the secrets."""
    other = KeyEncryptionKey(bytes(KEK_BYTES))
    with pytest.raises(SealBroken, match=f"{KEK.id}.*{other.id}"):
        other.unwrap(KEK.wrap(STRAND, bytes(DATA_KEY_BYTES)))


def test_a_key_does_not_move_to_another_strand() -> None:
    """Deleting one strand's key must not be undone by another record."""
    wrapped = KEK.wrap(STRAND, bytes(DATA_KEY_BYTES))
    with pytest.raises(SealBroken, match="does not open"):
        KEK.unwrap(wrapped.model_copy(update={"strand": "another"}))


def test_every_flipped_byte_is_found() -> None:
    """No altered wrapped key opens."""
    wrapped = KEK.wrap(STRAND, os.urandom(DATA_KEY_BYTES))
    raw = base64.b64decode(wrapped.wrapped)
    for place in range(len(raw)):
        bad = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(SealBroken):
            KEK.unwrap(wrapped.model_copy(update={"wrapped": base64.b64encode(bad).decode()}))


@pytest.mark.parametrize("text", ["", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAA"])
def test_what_is_no_wrapped_key_is_refused(text: str) -> None:
    """Not base64, too short, or of no key."""
    with pytest.raises(SealBroken):
        KEK.unwrap(WrappedKey(strand=STRAND, kek=KEK.id, wrapped=text))


def test_a_data_key_of_another_size_is_refused() -> None:
    """AES-256 only."""
    with pytest.raises(SealBroken, match="32 bytes"):
        KEK.unwrap(KEK.wrap(STRAND, bytes(16)))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"v":2,"strand":"s","kek":"k","wrapped":"w"}', b"[]", b'{"v":1}']
)
def test_another_record_on_the_keys_topic_is_refused(data: bytes) -> None:
    """Unknown versions and shapes."""
    with pytest.raises(MalformedRecord):
        WrappedKey.decode(data)


@given(st.binary())
def test_any_bytes_are_refused(data: bytes) -> None:
    """Nothing but our refusal comes out of decoding."""
    with pytest.raises(MalformedRecord):
        WrappedKey.decode(data)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_weak_key_is_refused(size: int) -> None:
    """32 bytes, and the refusal says how many came."""
    with pytest.raises(ValueError, match=f"got {size}"):
        KeyEncryptionKey(bytes(size))


def test_derived_keys_differ_by_purpose_and_key() -> None:
    """One secret, many purposes; the same name gives the same key."""
    assert KEK.derive("a") == KeyEncryptionKey(SECRET).derive("a")
    assert len({KEK.derive("a"), KEK.derive("b"), KeyEncryptionKey(bytes(32)).derive("a")}) == 3
    assert len(KEK.derive("a")) == 32


def test_a_key_s_repr_is_its_id() -> None:
    """The secret is in no log."""
    assert repr(KEK) == f"KeyEncryptionKey(id='{KEK.id}')"
