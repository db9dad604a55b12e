"""What may be named: only what is still what its leaf was made of."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.deletion.proven import Proven
from tachograph.schemas.derived import message_uid, part_uid
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash

UID, SESSION, DAY = uuid.UUID(int=1), uuid.UUID(int=2), "2026.01.02"
FACTS = {"type": "request", "session": str(SESSION), "connection": "desk"}
TALK = {"conversation": {"head": "a" * 64}, "body_parts": 1}


def document(tacho: object) -> bytes:
    return orjson.dumps({"unmapped": {"tacho": tacho}})


def leaf(value: bytes, index: int = 0) -> Leaf:
    digest = leaf_hash(value).hex()
    return Leaf(index=index, offset=index, leaf=digest, type="request", uid=UID, session=SESSION, day=DAY)


def held(stored: bytes, *sealed: bytes) -> Proven:
    """One stored document against leaves of its uid."""
    proven = Proven.by(leaf(value, index) for index, value in enumerate(sealed))
    proven.take(str(UID), stored)
    return proven


def test_what_was_sealed_is_proven_and_says_what_it_names() -> None:
    """The last message of its conversation and its parts; by whichever of its leaves it is."""
    value = document(FACTS | TALK)
    head = message_uid(SESSION, "desk", DAY.replace(".", "-"), "a" * 64)
    for proven in (held(value, value), held(value, b"masked otherwise", value, value)):
        assert proven.names == {str(UID): frozenset((head, part_uid(UID, 1)))}
        assert proven.altered == set()


def test_an_altered_one_is_proven_by_nothing() -> None:
    """Silent about its conversation, empty, or only written otherwise: it names nothing, and is told."""
    value = document(FACTS | TALK)
    indented = orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2)
    for stored in (document(FACTS), b"{}", b"", value + b" ", indented):
        proven = held(stored, value)
        assert (proven.names, proven.altered) == ({}, {str(UID)})


def test_a_stub_is_proven_by_the_letter_that_was_sealed() -> None:
    """By no other, and nothing that does not say that it is a stub; what it names is in the letter."""
    value, stub = document(FACTS | TALK), document({"stub": {"reason": "too-deep"}})
    proven = held(stub, value)
    proven.refused(str(UID), b"another")
    proven.refused(str(uuid.UUID(int=9)), value)
    assert (proven.names, proven.altered, proven.stubs) == ({}, {str(UID)}, {str(UID)})
    for _ in range(2):  # a letter may come twice
        proven.refused(str(UID), value)
    assert (len(proven.names[str(UID)]), proven.altered, proven.stubs) == (2, set(), set())
    edited = held(document(FACTS), value)
    edited.refused(str(UID), value)
    assert (edited.names, edited.altered) == ({}, {str(UID)})


@pytest.mark.parametrize("tacho", [{}, FACTS | {"conversation": 7}, None, []])
def test_what_is_none_of_ours_names_nothing(tacho: Any) -> None:
    """Proven all the same, where it was sealed."""
    assert held(document(tacho), document(tacho)).names == {str(UID): frozenset()}


@given(st.binary())
def test_any_bytes_are_answered(data: bytes) -> None:
    """Sealed or not."""
    assert held(data, data).names.keys() == {str(UID)}
    assert held(data + b"x", data).altered == {str(UID)}
