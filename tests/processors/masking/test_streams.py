"""Streams are read as their reader will: pieces of one text in one view, whoever sends them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.streams import is_event_stream, is_lines, joined


def events(*documents: object) -> bytes:
    return b"".join(b"event: e\r\ndata: " + orjson.dumps(document) + b"\r\n\r\n" for document in documents)


def texts(stream: bytes) -> list[bytes]:
    return [view.text for view in joined(stream)]


def test_blocks_are_kept_apart() -> None:
    """Two parallel tool calls do not mix."""
    stream = events(
        {"index": 0, "delta": {"partial_json": "ab"}},
        {"index": 1, "delta": {"partial_json": "12"}},
        {"index": 0, "delta": {"partial_json": "cd"}},
        {"index": 1, "delta": {"partial_json": "34"}},
    )
    assert sorted(texts(stream)) == [b"1234", b"abcd"]


def test_names_and_types_are_no_text() -> None:
    """What repeats in every event is not joined."""
    stream = events(*({"type": "x", "id": "chatcmpl-1", "model": "m", "delta": c} for c in "abc"))
    assert texts(stream) == [b"abc"]


def test_plain_data_lines_are_joined() -> None:
    """A stream need not be JSON."""
    assert texts(b"data: sec\n\ndata: ret\n\ndata: [DONE]\n\n") == [b"secret"]


@pytest.mark.parametrize(
    ("kind", "text", "sse", "lines"),
    [
        ("text/event-stream", b"", True, False),
        (None, b"event: a\ndata: {}\n\n", True, False),
        ("application/x-ndjson", b"{}", False, True),
        (None, b'{"a":1}\n{"a":2}\n', False, True),
        (None, b'{"a":1}', False, False),
        ("text/plain", b"hello", False, False),
    ],
)
def test_streams_are_known(kind: str | None, text: bytes, sse: bool, lines: bool) -> None:
    """By type, else by looks."""
    assert is_event_stream(kind, text) is sse
    assert is_lines(kind, text) is lines


@given(st.lists(st.text(max_size=8), min_size=2, max_size=12))
def test_the_join_is_what_a_client_reads(pieces: list[str]) -> None:
    """Escapes undone, the joined text is the concatenation, and each range leads back to its piece."""
    stream = events(*({"index": 0, "delta": {"text": piece}} for piece in pieces))
    if sum(bool(piece) for piece in pieces) < 2:
        return
    (view,) = joined(stream)
    assert orjson.loads(b'"' + view.text + b'"') == "".join(pieces)
    assert b"".join(stream[a:b] for a, b in view.to_content(0, len(view.text))) == view.text
