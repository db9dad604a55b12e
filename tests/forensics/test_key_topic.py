"""Rewrapping: what is to be written follows from what lies on the topic, and nothing shredded comes back."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics import key_topic as module
from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.key_topic import KeyTopic, rewrapping
from tachograph.schemas.key_ring import KeyProvider, KeyRing
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey

OLD, OTHER = KeyEncryptionKey(b"o" * 32), KeyEncryptionKey(b"x" * 32)
NEW = KeyRing(KeyEncryptionKey(b"n" * 32), [OLD])


def wrapped(kek: KeyProvider, name: str, data_key: bytes = b"d" * 32) -> bytes:
    return kek.wrap(name, data_key).encode()


def test_every_key_is_wrapped_by_the_new_one_and_is_the_same() -> None:
    """What is so already is left alone; what nobody here has wrapped is counted, not lost."""
    messages = [(name.encode(), wrapped(kek, name)) for name, kek in (("a", OLD), ("b", NEW), ("c", OTHER))]
    found = rewrapping([*messages, (b"d", b"no key")], NEW)
    assert (set(found.writes), found.current, found.unknown) == ({b"a"}, 1, 2)
    alone = KeyEncryptionKey(b"n" * 32)
    sealed = AESGCM(b"d" * 32).encrypt(bytes(12), b"x", None)
    assert alone.unwrap(WrappedKey.decode(found.writes[b"a"] or b"")).decrypt(bytes(12), sealed, None) == b"x"


def test_what_was_shredded_meanwhile_is_shredded_again() -> None:
    """The tombstone came between reading and writing: the new value behind it has to go."""
    messages = [(b"a", wrapped(OLD, "a")), (b"a", None), (b"a", wrapped(NEW, "a")), (b"b", None)]
    assert rewrapping(messages, NEW).writes == {b"a": None}


@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_it_comes_to_an_end_from_wherever_it_was_interrupted(rng: random.Random, cut: int) -> None:
    """Whatever part was written before: one more run leaves all under the new key, all shredded shredded."""
    names = [str(number) for number in range(8)]
    messages: list[tuple[bytes, bytes | None]] = [(name.encode(), wrapped(OLD, name)) for name in names]
    shredded = rng.sample(names, 3)
    first = list(rewrapping(messages, NEW).writes.items())
    both = [*first[:cut], *((name.encode(), None) for name in shredded)]
    rng.shuffle(both)
    messages += both
    messages += rewrapping(messages, NEW).writes.items()
    done = rewrapping(messages, NEW)
    assert (done.writes, done.current) == ({}, 5)
    assert {name for name, value in dict(messages).items() if value is None} == {n.encode() for n in shredded}


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound."""
    monkeypatch.setattr("tachograph.forensics.partition.ASK_SECONDS", 0.2)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.2)
    topic = KeyTopic({"bootstrap.servers": "127.0.0.1:1"}, "none")
    with pytest.raises(LogUnreachable):
        topic.read()
    with pytest.raises(LogUnreachable):
        topic.write({b"a": None})
    topic.close()
