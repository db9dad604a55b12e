"""The answer that is given again: its head, its ids, and when its pieces go out."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.replay.answers import Ending, answer_of, rpc_renamed

STREAM = (("Content-Type", "text/event-stream"),)


def text(answer: Any) -> str:
    return b"".join(block.data for block in answer.blocks).decode()


@given(
    events=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20),
        min_size=1,
        max_size=12,
    ),
    cut=st.integers(1, 60),
)
def test_a_stream_goes_out_event_by_event_in_its_time(
    make_recording: Any, events: list[str], cut: int
) -> None:
    """Nothing is lost or moved; times rise from the first byte to the end."""
    body = "".join(f"data: {one}\n\n" for one in events).encode()
    recording = make_recording()
    recording.request().response(body, headers=STREAM, pieces=[(min(cut, len(body) - 1), 4_000), (0, 9_000)])
    answer = answer_of(recording.exchanges[0], "")
    assert text(answer).encode() == body
    assert len(answer.blocks) == len(events)
    times = [block.at for block in answer.blocks]
    assert times == sorted(times)
    assert answer.first_byte == 1_000
    assert answer.first_byte <= times[0]
    assert times[-1] == 8_000


def test_pieces_of_a_body_go_out_when_they_came(recording: Any) -> None:
    """Counted from the end of the request."""
    recording.request().response(b"one-two", pieces=[(4, 3_000), (3, 6_000)], times=(1_000, 2_000, 9_000))
    answer = answer_of(recording.exchanges[0], "")
    assert [(block.data, block.at) for block in answer.blocks] == [(b"one-", 2_000), (b"two", 5_000)]


def test_fields_that_framed_the_original_bytes_are_gone(recording: Any) -> None:
    """The body is decoded text in UTF-8 now."""
    headers = [
        ("Content-Type", "text/plain; charset=latin-1"),
        ("Content-Length", "7"),
        ("Content-Encoding", "gzip"),
        ("ETag", '"x"'),
        ("Connection", "close"),
        ("Request-Id", "req_1"),
    ]
    recording.request().response(b"text", headers=headers)
    answer = answer_of(recording.exchanges[0], "")
    assert answer.headers == (("Content-Type", "text/plain; charset=utf-8"), ("Request-Id", "req_1"))
    assert answer.length == 4


@pytest.mark.parametrize("now", [7, "seven"])
def test_an_answer_carries_the_askers_id(recording: Any, now: object) -> None:
    """JSON-RPC ids differ between runs."""
    recording.protocol = "mcp"
    recording.request(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    recording.response(b'{"jsonrpc":"2.0","id":1,"result":{}}')
    asked = orjson.dumps({"jsonrpc": "2.0", "id": now, "method": "ping"}).decode()
    assert orjson.loads(text(answer_of(recording.exchanges[0], asked)))["id"] == now


def test_in_a_stream_progress_and_answer_are_renamed_and_requests_of_the_server_are_not(
    recording: Any,
) -> None:
    """The server's own ids are its own."""
    recording.protocol = "mcp"
    recording.request(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":1}}}')
    messages = [
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 2}},
        {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ]
    body = b"".join(b"event: message\ndata: " + orjson.dumps(one) + b"\n\n" for one in messages)
    recording.response(body, headers=STREAM)
    asked = '{"jsonrpc":"2.0","id":"a","method":"m","params":{"_meta":{"progressToken":"t"}}}'
    answer = answer_of(recording.exchanges[0], asked)
    found = [orjson.loads(block.data.decode().split("data: ")[1]) for block in answer.blocks]
    assert [one.get("id") for one in found] == [None, 1, "a"]
    assert found[0]["params"] == {"progressToken": "t", "progress": 2}


@given(st.text())
def test_what_is_no_json_rpc_stays_as_it_is(body: str) -> None:
    """Byte for byte."""
    assert rpc_renamed(body, '{"id":1,"method":"m"}', "not JSON") == body


def test_an_answer_that_broke_off_breaks_off(recording: Any) -> None:
    """And one that the agent left stays open."""
    recording.request().response(b"half", error="upstream-reset")
    recording.request().response(b"half", error="client-gone")
    endings = [answer_of(exchange, "").ending for exchange in recording.exchanges]
    assert endings == [Ending.BROKEN, Ending.LEFT]


def test_only_what_is_on_record_is_given(recording: Any) -> None:
    """Whoever asks for more has not looked at `missing`."""
    recording.request()
    with pytest.raises(ValueError, match="on record"):
        answer_of(recording.exchanges[0], "")


def test_a_header_that_cannot_be_sent_is_left_out(made: Any) -> None:
    """Nothing of the record splits an answer."""
    exchange = made.exchange()
    odd = replace(exchange.response, headers=(("X-A", "a\r\nX-B: b"), ("X-C", "c")))
    assert answer_of(replace(exchange, response=odd), "").headers == (("X-C", "c"),)
