"""One event, one line, whatever the event holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.examples.siem.line import at, line

EVENT = {
    "time": 1_795_429_230_123,
    "severity": "Low",
    "status": "Failure",
    "type_name": "API Activity: Create",
    "message": "POST /v1/messages -> 529",
    "actor": {"user": {"name": "builder"}},
}


def test_an_event_reads_as_a_sentence() -> None:
    """When, how bad, how it ended, who, what."""
    assert line(EVENT) == (
        "2026-11-23T10:20:30.123+00:00  Low  Failure  builder  API Activity: Create  POST /v1/messages -> 529"
    )


def test_a_model_s_answer_tells_its_tokens() -> None:
    """OCSF's AI profile is enough for that."""
    told = line(EVENT | {"ai_model": {"name": "m"}, "message_context": {"total_tokens": 5}})
    assert told.endswith("[m, 5 tokens]")


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "a\u2028b", "\x9b31m"])
def test_nothing_moves_the_terminal(text: str) -> None:
    """A hostile message neither breaks the line nor colours it."""
    assert line(EVENT | {"message": text}).isprintable()


@given(st.dictionaries(st.sampled_from([*EVENT, "ai_model"]), st.none() | st.text() | st.lists(st.text())))
def test_any_event_is_one_line(event: dict[str, Any]) -> None:
    """Missing and wrong attributes are shown as such."""
    assert line(event).isprintable()


def test_a_path_ends_where_there_is_nothing() -> None:
    """No exception for what is not there."""
    assert at(EVENT, "actor", "user", "name") == "builder"
    assert at(EVENT, "actor", "process", "name") is None
