"""Parallel calls of a chat completion are told apart by index; refused ones go, the others move up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.llm.openai_chat import ChatCompletions, whole_calls, whole_rewritten
from tachograph.ingress.llm.stream import StreamFilter


def chunk(delta: dict[str, Any], reason: str | None = None, index: int = 0) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return {"id": "c-1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice]}


def piece(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    head = {"id": f"call_{index}", "type": "function"} if name else {}
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, **head, "function": function}


@pytest.fixture(scope="session")
def parallel(kit: Any) -> bytes:
    """Two calls whose pieces come in turns."""
    return kit.nameless(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Let me."}),
        chunk({"tool_calls": [piece(0, "", "rm")]}),
        chunk({"tool_calls": [piece(1, '{"q"', "ls"), piece(0, '{"path": ')]}),
        chunk({"tool_calls": [piece(0, '"/"}')]}),
        chunk({"tool_calls": [piece(1, ": 1}")]}),
        chunk({}, "tool_calls"),
        {"choices": [], "usage": {"total_tokens": 4}},
    )


@given(cuts=st.lists(st.integers(1, 1500)))
def test_what_is_allowed_comes_as_it_came(kit: Any, parallel: bytes, cuts: list[int]) -> None:
    """Byte for byte, and every call was asked about whole."""
    out, asked = kit.run(StreamFilter(ChatCompletions()), parallel, lambda _: None, cuts)
    assert out == parallel
    assert [(call.id, call.name, json.loads(call.arguments)) for call in asked] == [
        ("call_0", "rm", {"path": "/"}),
        ("call_1", "ls", {"q": 1}),
    ]


@given(cuts=st.lists(st.integers(1, 1500)))
def test_a_refused_call_goes_and_the_other_moves_up(kit: Any, parallel: bytes, cuts: list[int]) -> None:
    """Its refusal is said as content before the choice finishes; an event with nothing left is gone."""
    refuse = lambda call: "no" if call.name == "rm" else None  # noqa: E731 - a verdict
    out, _ = kit.run(StreamFilter(ChatCompletions()), parallel, refuse, cuts)
    deltas = [v["choices"][0]["delta"] for v in kit.values(out) if v["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert [call["index"] for call in calls] == [0, 0]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"q": 1}'
    assert "".join(delta.get("content") or "" for delta in deltas) == "Let me.\n\nno"
    assert kit.values(out)[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert out.endswith(b"data: [DONE]\n\n")


def test_without_any_call_left_it_stops(kit: Any, parallel: bytes) -> None:
    """The reason to finish is the one of an answer without calls."""
    out, _ = kit.run(StreamFilter(ChatCompletions()), parallel, lambda _: "no")
    assert kit.values(out)[-2]["choices"][0]["finish_reason"] == "stop"
    assert b"tool_calls" not in out
    assert b"usage" in out


def test_the_old_function_call_is_a_call(kit: Any) -> None:
    """Servers and clients of before tools still speak it."""
    data = kit.nameless(
        chunk({"function_call": {"name": "rm", "arguments": "{"}}),
        chunk({"function_call": {"arguments": "}"}}),
        chunk({}, "function_call"),
    )
    out, asked = kit.run(StreamFilter(ChatCompletions()), data, lambda _: "no")
    assert [(call.name, call.arguments) for call in asked] == [("rm", b"{}")]
    assert b"function_call" not in out
    assert kit.run(StreamFilter(ChatCompletions()), data, lambda _: None)[0] == data


def test_a_custom_tool_has_text_for_arguments(kit: Any) -> None:
    """It is judged as an argument of the name `input`."""
    call = {"index": 0, "id": "1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    data = kit.nameless(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))
    _, asked = kit.run(StreamFilter(ChatCompletions()), data, lambda _: None)
    assert [(item.name, item.arguments) for item in asked] == [("sh", b'{"input":"ls"}')]


def test_a_call_named_twice_is_in_doubt(kit: Any) -> None:
    """Some clients take the last name, some join both."""
    data = kit.nameless(
        chunk({"tool_calls": [piece(0, "{}", "l")]}),
        chunk({"tool_calls": [piece(0, "", "s")]}),
        chunk({}, "tool_calls"),
    )
    _, asked = kit.run(StreamFilter(ChatCompletions()), data, lambda _: "no")
    assert asked[0].problem is not None


BAD: list[list[dict[str, Any]]] = [
    [chunk({"tool_calls": [{"function": {"name": "x"}}]}), chunk({}, "tool_calls")],
    [chunk({"tool_calls": [piece(0, "{}", "x")]}), {"error": {"message": "broke"}}],
    [chunk({"tool_calls": [piece(0, "{}", "x")]})],
    [chunk({}, "stop"), chunk({"tool_calls": [piece(0, "{}", "x")]}), chunk({}, "stop")],
    [{"choices": [{"index": 0, "message": {"tool_calls": [piece(0, "{}", "x")]}}]}],
    [chunk({"Tool_Calls": [piece(0, "{}", "x")]}), chunk({}, "stop")],
    [chunk({"tool_calls": {"0": {}}}), chunk({}, "stop")],
]


@pytest.mark.parametrize("bad", BAD)
def test_what_may_hide_a_call_ends_the_stream(kit: Any, bad: list[dict[str, Any]]) -> None:
    """The client gets an error of its protocol, and no call."""
    data = kit.nameless(chunk({"content": "a"}), *bad)
    out, _ = kit.run(StreamFilter(ChatCompletions()), data, lambda _: None)
    told = kit.values(out)
    assert told[0] == chunk({"content": "a"})
    assert "gateway" in told[-1]["error"]["message"]
    assert b'"name": "x"' not in out


def test_a_whole_completion_is_rewritten_alike() -> None:
    """Calls that are left keep their bytes; without any, it stopped."""
    calls = [piece(0, "{}", "rm"), piece(1, "{}", "ls")]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    assert [call.name for call in whole_calls(body)] == ["rm", "ls"]
    half = whole_rewritten(body, {0: "no"})["choices"][0]
    assert half["message"] == {"role": "assistant", "content": "no", "tool_calls": [calls[1]]}
    assert half["finish_reason"] == "tool_calls"
    none = whole_rewritten(body, {0: "no", 1: "nor"})["choices"][0]
    assert none["message"] == {"role": "assistant", "content": "no\n\nnor"}
    assert none["finish_reason"] == "stop"


def test_content_in_parts_stays(kit: Any) -> None:
    """Some servers answer with a list of parts; the refusal is one more."""
    parts = [{"type": "thinking", "thinking": "hm"}]
    data = kit.nameless(chunk({"content": parts}), chunk({}, "stop"))
    assert kit.run(StreamFilter(ChatCompletions()), data, lambda _: None)[0] == data
    message = {"content": parts, "tool_calls": [piece(0, "{}", "rm")]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    told = whole_rewritten(body, {0: "no"})["choices"][0]["message"]["content"]
    assert told == [*parts, {"type": "text", "text": "no"}]
