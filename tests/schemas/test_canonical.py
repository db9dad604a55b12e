"""Canonical JSON is one byte form for one value, and agrees with RFC 8785 where we use it."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.event import (
    Agent,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
    rfc3339_ns,
)

KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES))
def test_it_is_rfc_8785_on_our_subset(value: dict[str, Any]) -> None:
    """The standard library writes the same bytes: sorted keys, no white space, UTF-8, shortest escapes."""
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    # RFC 8785 (3.2.2.2) leaves DEL as it is; so do both.
    assert canonical_json(value) == expected


@given(st.dictionaries(KEYS, VALUES))
def test_order_does_not_matter_and_nothing_is_lost(value: dict[str, Any]) -> None:
    """Any order of keys gives the same bytes, and they read back as the value."""
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(st.binary())
def test_sha256_is_64_hex_digits(data: bytes) -> None:
    """Lower case, as every hash of ours is written."""
    assert sha256_hex(data) == hashlib.sha256(data).hexdigest()


_ODD = "\x00\x1f \"\\/\x7f\x80\u2028\ue000\uffff\U0001f600\u00e9e\u0301<>&'"


def _text(random: Random, longest: int) -> str:
    """Text that a serialiser may get wrong: controls, quotes, both planes, composed and not."""
    pool = _ODD if random.random() < 0.5 else "abcXYZ019-_.~"
    return "".join(random.choice(pool) for _ in range(random.randint(1, longest)))


def _header(random: Random) -> Header:
    session, epoch = (UUID(int=random.getrandbits(128)) for _ in range(2))
    seq = random.choice((0, 1, random.getrandbits(20), 2**53 - 1))
    maybe = [None if random.random() < 0.3 else _text(random, 12) for _ in range(4)]
    return Header(
        uid=event_uid(session, epoch, seq),
        type=random.choice(list(EventType)),
        ts=rfc3339_ns(random.getrandbits(60)),
        session=session,
        epoch=epoch,
        seq=seq,
        prev=f"{random.getrandbits(256):064x}",
        exchange=None if random.random() < 0.2 else UUID(int=random.getrandbits(128)),
        connection=random.choice((None, "crm", "a.b-c_d")),
        protocol=random.choice((None, *Protocol)),
        direction=random.choice(list(Direction)),
        principal=Principal(id=_text(random, 20), kind=random.choice(list(PrincipalKind)), issuer=maybe[0]),
        agent=Agent(session=maybe[1], id=maybe[2], parent=maybe[3]),
        raw_commit=f"{random.getrandbits(256):064x}",
        raw_len=random.choice((0, random.getrandbits(30), 2**53 - 1)),
        incomplete=random.random() < 0.1,
    )


@pytest.mark.parametrize("part", range(10))
def test_a_header_has_the_bytes_that_another_implementation_of_rfc_8785_writes(part: int) -> None:
    """Ten times 10,000 headers, of odd texts and edge numbers: the same bytes, and they read back."""
    random = Random(part)
    for _ in range(10_000):
        header = _header(random)
        assert header.canonical() == rfc8785.dumps(header.model_dump(mode="json"))
