"""Tool calls of Anthropic are held one by one; a refused one becomes text in its place, the rest agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.llm.anthropic import Messages, whole_calls, whole_rewritten
from tachograph.ingress.llm.stream import StreamFilter

ARGUMENTS = '{"path": "/etc/passwd", "n": 3}'


@pytest.fixture(scope="session")
def mixed(kit: Any) -> bytes:
    """Text, two calls, and text."""
    return kit.message(
        kit.said(0, "Let me see."),
        kit.block(1, "ls", "{}"),
        kit.block(2, "rm", ARGUMENTS),
        kit.said(3, "So."),
    )


@given(cuts=st.lists(st.integers(1, 2500)))
def test_what_is_allowed_comes_as_it_came(kit: Any, mixed: bytes, cuts: list[int]) -> None:
    """Byte for byte, however it was cut; the calls were asked about in order, with name and arguments."""
    out, asked = kit.run(StreamFilter(Messages()), mixed, lambda _: None, cuts)
    assert out == mixed
    assert [(call.name, json.loads(call.arguments)) for call in asked] == [
        ("ls", {}),
        ("rm", json.loads(ARGUMENTS)),
    ]
    assert asked[0].model == "m-1"


@given(cuts=st.lists(st.integers(1, 2500)))
def test_a_refused_call_becomes_text(kit: Any, mixed: bytes, cuts: list[int]) -> None:
    """In its place, for every cut alike; what is left keeps its bytes and its reason to stop."""
    refuse = lambda call: "no" if call.name == "rm" else None  # noqa: E731 - a verdict
    out, _ = kit.run(StreamFilter(Messages()), mixed, refuse, cuts)
    expected = kit.message(
        kit.said(0, "Let me see."), kit.block(1, "ls", "{}"), kit.said(2, "no"), kit.said(3, "So.")
    )
    assert kit.values(out) == kit.values(expected)
    assert b"passwd" not in out


def test_without_any_call_left_the_turn_ends(kit: Any, mixed: bytes) -> None:
    """An agent would wait for calls that it never got."""
    out, _ = kit.run(StreamFilter(Messages()), mixed, lambda _: "no")
    assert kit.values(out)[-2]["delta"] == {"stop_reason": "end_turn"}
    assert b"tool_use" not in out


def test_nothing_of_a_call_goes_before_it_was_judged(kit: Any, mixed: bytes) -> None:
    """Text before it is out already; the call and what comes behind it are kept."""
    made, out = StreamFilter(Messages()), b""
    made.feed(mixed, end=True)
    while isinstance(item := made.next(), bytes):
        out += item
    assert item is not None
    assert item.name == "ls"
    assert b"Let me see." in out
    assert b'"ls"' not in out
    assert made.next() is item  # it is asked until it is answered


def test_what_a_refused_server_tool_found_is_withheld(kit: Any) -> None:
    """The provider ran it already; its result goes with the call, in its own place."""
    found = {"type": "web_search_tool_result", "tool_use_id": "toolu_0", "content": [{"url": "x.example"}]}
    result = [
        {"type": "content_block_start", "index": 1, "content_block": found},
        {"type": "content_block_stop", "index": 1},
    ]
    data = kit.message(
        kit.block(0, "web_search", "{}", "server_tool_use"), result, kit.said(2, "x"), reason="end_turn"
    )
    out, asked = kit.run(StreamFilter(Messages()), data, lambda _: "no")
    assert len(asked) == 1
    assert b"x.example" not in out
    assert [v["index"] for v in kit.values(out) if v["type"] == "content_block_start"] == [0, 1, 2]
    assert kit.run(StreamFilter(Messages()), data, lambda _: None)[0] == data


def _start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


BAD: list[list[dict[str, Any]]] = [
    [_start(0, type="tool_use", name="x", id="1"), {"type": "message_stop"}],
    [_start(0, type="tool_use", name="x", id="1"), {"type": "error", "error": {}}],
    [_start(0, type="tool_use", name="x", id="1"), _start(1, type="text")],
    [_start(1, type="tool_use", name="x", id="1")],
    [_start(0, type="tool_use", Name="x", id="1")],
    [_start(0, Type="tool_use", name="x", id="1")],
    [_start(0, type=["tool_use"])],
    [_start(0, name="x", id="1")],
    [{"type": "content_block_start", "index": 0, "block": {"type": "tool_use", "name": "x", "id": "1"}}],
    [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        }
    ],
    [{"type": "message_start", "message": {"content": [{"type": "tool_use", "name": "x"}]}}],
    [{"Type": "content_block_start"}],
    [{}],
]


@pytest.mark.parametrize("bad", BAD)
def test_what_may_hide_a_call_ends_the_stream(kit: Any, bad: list[dict[str, Any]]) -> None:
    """The client gets an error of its protocol, and nothing that comes after it."""
    data = kit.nameless({"type": "ping"}, *bad, {"type": "later"})
    out, asked = kit.run(StreamFilter(Messages()), data, lambda _: None)
    told = kit.values(out)
    assert told[0] == {"type": "ping"}
    assert told[-1]["type"] == "error"
    assert "gateway" in told[-1]["error"]["message"]
    assert not asked


@pytest.mark.parametrize("kind", ["tool_use ", "Tool_Use", "tool_usage"])
def test_what_has_a_name_is_judged_under_any_type(kit: Any, kind: str) -> None:
    """Some client may take it for a call."""
    data = kit.message(kit.block(0, "ls", "{}", kind))
    out, asked = kit.run(StreamFilter(Messages()), data, lambda _: "no")
    assert [call.name for call in asked] == ["ls"]
    assert b"ls" not in out
    body = {"content": [{"type": kind, "id": "1", "name": "ls", "input": {}}]}
    assert [call.name for call in whole_calls(body)] == ["ls"]


def test_two_types_are_one_too_many(kit: Any) -> None:
    """Some clients obey the event's name, some its data."""
    data = b'event: ping\ndata: {"type": "content_block_start"}\n\n'
    assert b"error" in kit.run(StreamFilter(Messages()), data, lambda _: None)[0]


def test_a_whole_message_is_rewritten_alike() -> None:
    """Text in the same place, the reason to stop corrected once no call is left."""
    call = {"type": "tool_use", "id": "1", "name": "rm", "input": {"path": "/"}}
    body = {"content": [{"type": "text", "text": "a"}, call, call | {"id": "2"}], "stop_reason": "tool_use"}
    assert [(item.name, item.arguments) for item in whole_calls(body)] == [("rm", b'{"path":"/"}')] * 2
    half = whole_rewritten(body, {0: "no"})
    assert half["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "no"},
        call | {"id": "2"},
    ]
    assert half["stop_reason"] == "tool_use"
    assert whole_rewritten(body, {0: "no", 1: "no"})["stop_reason"] == "end_turn"


def test_a_whole_result_goes_with_its_call() -> None:
    """As in a stream."""
    call = {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}
    body = {"content": [call, {"type": "web_search_tool_result", "tool_use_id": "1", "content": "x.example"}]}
    assert "x.example" not in json.dumps(whole_rewritten(body, {0: "no"}))
