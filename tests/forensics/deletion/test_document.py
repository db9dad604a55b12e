"""A statement becomes an event that fits the schema, and is read back only as it was signed."""

from __future__ import annotations

import orjson
import pytest
from deletions import DELETER, STRANGER, statement
from hypothesis import given
from hypothesis import strategies as st
from world import story

from tachograph.forensics.deletion.document import read_statement, said_in, statement_document
from tachograph.schemas.masked import masked_event_adapter

STATED = statement(story(), {0: 1, 1: 2})
MADE = statement_document(STATED, DELETER)


def test_it_is_an_event_of_the_masked_topic() -> None:
    """By the schema that other programs read, under its own uid."""
    event = masked_event_adapter.validate_json(MADE.value)
    assert event.metadata.uid == str(MADE.uid) == str(STATED.uid)
    assert (MADE.session, MADE.type, MADE.day) == (STATED.session, "erasure", "2026.11.23")
    assert statement_document(STATED, DELETER) == MADE


def test_it_is_read_back() -> None:
    """By who has the key that signed it, and by nobody else."""
    assert read_statement(MADE.value, DELETER.key) == STATED
    assert read_statement(MADE.value, STRANGER.key) is None
    assert said_in(MADE.value) == STATED


@pytest.mark.parametrize(
    "change", [{"uid": "x"}, {"type": "request"}, {"deletion": None}, {"deletion_note": 7}]
)
def test_another_document_around_it_is_none(change: dict[str, object]) -> None:
    """What it says of itself belongs to it."""
    value = orjson.loads(MADE.value)
    value["unmapped"]["tacho"].update(change)
    assert read_statement(orjson.dumps(value), DELETER.key) is None


@given(st.binary() | st.sampled_from([b"[]", b"{}", b'{"unmapped":{"tacho":7}}', b'{"unmapped":[]}']))
def test_anything_else_is_none(data: bytes) -> None:
    """Never a traceback."""
    assert read_statement(data, DELETER.key) is None
    assert said_in(data) is None
