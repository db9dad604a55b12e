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


def chat(*choices: object) -> object:
    return {"object": "chat.completion.chunk", "choices": list(choices)}


def call(index: int, piece: str) -> object:
    return {"index": index, "function": {"arguments": piece}}


@pytest.mark.parametrize(
    "stream",
    [
        events(
            *(
                chat({"index": 0, "delta": {"content": a}}, {"index": 1, "delta": {"content": b}})
                for a, b in ("a1", "b2", "c3")
            )
        ),
        events(
            *(
                chat({"delta": {"content": a}, "index": 0}, {"delta": {"content": b}, "index": 1})
                for a, b in ("a1", "b2", "c3")
            )
        ),
        events(
            *(
                chat({"index": 0, "delta": {"tool_calls": [call(0, a), call(1, b)]}})
                for a, b in ("a1", "b2", "c3")
            )
        ),
        events(
            *(
                {"type": "x.delta", "item_id": name, "delta": piece}
                for pair in ("a1", "b2", "c3")
                for name, piece in zip(("one", "two"), pair, strict=True)
            )
        ),
    ],
    ids=["two choices in one event", "the index last", "two calls in one event", "told apart by an id"],
)
def test_what_one_event_says_of_several_is_kept_apart(stream: bytes) -> None:
    """Each text under the indices of the objects around it, not under all that the event holds."""
    assert sorted(texts(stream)) == [b"123", b"abc"]


def test_an_event_of_one_goes_on_where_an_event_of_two_left_off() -> None:
    """A channel is the same channel however many others its event speaks of, also in one that was cut off."""
    first = chat({"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "1"}})
    second = chat({"index": 0, "delta": {"content": "b"}})
    cut = events(first)[:-8].replace(b'"a"', b'"c"').replace(b'"1"', b'"3"')
    assert sorted(texts(events(first, second) + cut)) == [b"13", b"abc"]


def test_an_event_of_objects_in_one_another_takes_linear_time() -> None:
    """Two thousand levels, each with a text: all of them are in the channels, and it takes no time."""
    level = b'{"index":0,"t":"x",'
    views = joined((b"data: " + level * 2000 + b"\n\n") * 2)
    assert sum(len(view.text) for view in views) == 4000


def test_ids_that_change_with_every_event_do_not_split_a_text() -> None:
    """Where things are numbered, the numbers decide."""
    stream = events(*({"item_id": f"x{n}", "output_index": 0, "delta": c} for n, c in enumerate("abc")))
    assert texts(stream) == [b"abc"]


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
