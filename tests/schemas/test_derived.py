"""Identities of messages and parts follow from what names them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.derived import Naming, message_uid, part_uid
from tachograph.schemas.errors import MalformedRecord

SESSION, DAY = str(uuid.UUID(int=1)), "2026-11-23"
TACHO: dict[str, Any] = {"type": "request", "session": SESSION, "connection": "desk"}
SAID = {"hash": "b" * 64, "parent": "a" * 64, "index": 1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


def test_uids_depend_on_all_four() -> None:
    """Session, connection, day and hash each make another document."""
    base = (SESSION, "c", DAY, "a" * 64)
    others = [
        (str(uuid.UUID(int=2)), *base[1:]),
        (base[0], "d", *base[2:]),
        (*base[:2], "2026-11-24", base[3]),
        (*base[:3], "b" * 64),
    ]
    assert len({message_uid(*item) for item in (base, *others)}) == 5
    assert message_uid(*base) == message_uid(*base)
    assert message_uid(SESSION, None, DAY, "a") == message_uid(SESSION, "", DAY, "a")


def test_a_message_names_itself_and_the_one_before_it() -> None:
    """The first names none, and a piece of a long one has a name of its own."""
    message = Naming.of(TACHO | {"type": "message", "message": SAID})
    assert message.own(DAY) == message_uid(SESSION, "desk", DAY, "b" * 64)
    assert message.message_named(DAY) == message_uid(SESSION, "desk", DAY, "a" * 64)
    first = Naming.of(TACHO | {"type": "message", "message": SAID | {"index": 0}})
    assert first.message_named(DAY) is None
    piece = Naming.of(TACHO | {"type": "message", "message": SAID, "part": {"of": "x", "index": 2}})
    assert piece.own(DAY) == part_uid(message_uid(SESSION, "desk", DAY, "b" * 64), 2)


def test_a_record_names_the_end_of_its_conversation_and_its_parts() -> None:
    """Its own uid follows from its place in a strand, not from here."""
    naming = Naming.of(TACHO | {"conversation": {"head": "a" * 64, "count": 3}, "body_parts": 2})
    assert naming.own(DAY) is None
    assert naming.message_named(DAY) == message_uid(SESSION, "desk", DAY, "a" * 64)
    assert list(naming.parts_named("x")) == [part_uid("x", 1), part_uid("x", 2)]
    assert Naming.of(TACHO | {"type": "part", "part": {"of": "x", "index": 1}}).own(DAY) == part_uid("x", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"connection": 7},
        {"body_parts": -1},
        {"body_parts": True},
        {"body_parts": 1.0},
        {"conversation": {}},
        {"message": {"hash": "a", "parent": [1], "index": 1}},
        {"type": "message"},
        {"type": "part", "part": None},
    ],
)
def test_any_other_form_is_refused(change: dict[str, Any]) -> None:
    """What is no name, and a derived document that does not say of what."""
    with pytest.raises(MalformedRecord):
        Naming.of(TACHO | change)


@given(st.dictionaries(st.sampled_from(sorted(Naming.model_fields)), JSON))
def test_whatever_stands_there_is_read_or_refused(tacho: dict[str, Any]) -> None:
    """Never another error; what is read can be asked."""
    try:
        naming = Naming.of(tacho)
    except MalformedRecord:
        return
    naming.own(DAY), naming.message_named(DAY), next(naming.parts_named("x"), None)
