"""Server-sent events are read as the standard says, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.sse import ServerSentEvent, parse_sse

CASES = [
    ("data: a\n\n", [ServerSentEvent("message", "a")]),
    ("event: ping\ndata: {}\n\n", [ServerSentEvent("ping", "{}")]),
    ("data:a\ndata: b\n\n", [ServerSentEvent("message", "a\nb")]),
    ("data:  two spaces\n\n", [ServerSentEvent("message", " two spaces")]),
    (": comment\nid: 1\nretry: 3\n\ndata: x\n\n", [ServerSentEvent("message", "x")]),
    ("event: lonely\n\ndata: x\n\n", [ServerSentEvent("message", "x")]),
    ("\ufeffdata: bom\n\n", [ServerSentEvent("message", "bom")]),
    ("data: cut", [ServerSentEvent("message", "cut", complete=False)]),
    ("data: cut\n", [ServerSentEvent("message", "cut", complete=False)]),
    ("data\n\n", [ServerSentEvent("message", "")]),
    ("data: a\u2028b\x0bc\n\n", [ServerSentEvent("message", "a\u2028b\x0bc")]),
    ("", []),
    ("garbage without a colon\n\n", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_standard_s_own_rules(text: str, newline: str, expected: list[ServerSentEvent]) -> None:
    """Fields, comments and blank lines mean the same under all three line ends."""
    assert list(parse_sse(text.replace("\n", newline))) == expected


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(LINES.filter(lambda name: not name.startswith(" ")), st.lists(LINES, min_size=1))))
def test_what_is_written_is_read(events: list[tuple[str, list[str]]]) -> None:
    """Any names and any lines of data come back as they were written."""
    text = "".join(
        f"event: {name}\n" + "".join(f"data: {line}\n" for line in lines) + "\n" for name, lines in events
    )
    found = [(event.event, event.data) for event in parse_sse(text)]
    assert found == [(name or "message", "\n".join(lines)) for name, lines in events]


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    """No text makes the parser raise, and at most the last event is incomplete."""
    assert all(event.complete for event in list(parse_sse(text))[:-1])
