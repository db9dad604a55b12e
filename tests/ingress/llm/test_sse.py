"""Events come out of a stream with exactly their bytes, however it was cut; what is no event is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.ingress.llm import sse
from tachograph.ingress.llm.errors import TooLong, Unreadable
from tachograph.ingress.llm.sse import Events, read, strict, written

pieces = st.sampled_from(
    [
        b"data: {}",
        b"data:1",
        b"event: x",
        b": c",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"id",
        b"\xef\xbb\xbf",
    ]
)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    events, found = Events(), []
    places = [0, *sorted(place for place in cuts if place < len(data)), len(data)]
    for start, stop in itertools.pairwise(places):
        events.feed(data[start:stop])
        while (raw := events.next(end=stop == len(data))) is not None:
            found.append(raw)
    return found


@given(st.lists(pieces).map(b"".join), st.lists(st.integers(1, 60)))
@example(b"data: {}\r\r\ndata: {}\r\n\r\n", [9, 10, 11])
def test_cuts_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """The same events come for every cut, and together they are the stream."""
    whole = cut(data, [])
    assert cut(data, cuts) == whole
    assert b"".join(whole) == data


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_ends_an_event(end: bytes) -> None:
    """LF, CR and CR LF end lines; an empty line ends an event."""
    one = b"event: a" + end + b"data: {}" + end + end
    assert cut(one + one, []) == [one, one]
    assert read(one, one).name == "a"


def test_several_lines_of_data_are_one_value() -> None:
    """They are joined by line feeds, as clients join them."""
    raw = b'data: {"a":\ndata: 1}\n\n'
    assert read(raw, raw).value == {"a": 1}


@pytest.mark.parametrize("raw", [b": hello\n\n", b"\n", b"data: [DONE]\n\n", b"data\n\n", b"retry: 5\n\n"])
def test_what_says_nothing_has_no_value(raw: bytes) -> None:
    """Comments, empty events and the mark of the end are passed on unread."""
    assert read(raw, raw).value is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"content": []}\n\n',
        b" data: {}\n\n",
        b"event: a\nevent: b\n\n",
        b"data: {\n\n",
        b'data: {"a": 1, "a": 2}\n\n',
        b"data: []\n\n",
        b"data: \xff\n\n",
        b'data: {"a": NaN}\n\n',
    ],
)
def test_what_has_no_reading_or_two_is_refused(raw: bytes) -> None:
    """What a lenient client might take for something else does not go on."""
    with pytest.raises(Unreadable):
        read(raw, raw)


def test_an_event_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that does not end is not kept for ever, and a complete one of that length does not pass."""
    monkeypatch.setattr(sse, "MAX_KEPT_BYTES", 20)
    for data in (b"data: " + b"x" * 30, b"data: " + b"x" * 30 + b"\n\n"):
        events = Events()
        events.feed(data)
        with pytest.raises(TooLong):
            events.next(end=False)


def test_a_byte_order_mark_begins_a_stream_only() -> None:
    """It may come first, and is no part of the first field's name."""
    events = Events()
    raw = b"\xef\xbb\xbfdata: {}\n\n"
    assert events.event(raw).value == {}
    with pytest.raises(Unreadable):
        events.event(raw)


@given(st.dictionaries(st.text(), st.integers(0, 9)))
def test_ours_can_be_read(value: dict[str, Any]) -> None:
    """What the gateway writes is read back as it was meant."""
    raw = written(value, "name")
    event = read(raw, raw)
    assert (event.name, event.value) == ("name", value)
    assert "bytes" in repr(event)


def test_only_objects_are_values() -> None:
    """A number has a reading, and is no answer."""
    with pytest.raises(Unreadable):
        strict(b"1")
