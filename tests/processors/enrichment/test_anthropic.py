"""Anthropic's Messages API: requests, answers, streams whole and cut, errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tachograph.processors.enrichment.anthropic import read_request, read_response, read_stream
from tachograph.processors.enrichment.facts import Facts, ToolUse, Usage
from tachograph.processors.enrichment.sse import parse_sse

MODEL = "claude-sonnet-5-5"


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "model": MODEL, "role": "assistant", "content": [], "usage": usage}
    return {"type": "message_start", "message": message}


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **piece: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": piece}


def ended(reason: str | None, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def stream(events: Sequence[dict[str, Any]]) -> Facts:
    text = "".join(f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n" for event in events)
    return read_stream(parse_sse(text))


TOOLS = [
    start(input_tokens=25, cache_read_input_tokens=1000, cache_creation_input_tokens=200, output_tokens=1),
    PING,
    opened(0, type="thinking", thinking=""),
    delta(0, type="thinking_delta", thinking="hm"),
    {"type": "content_block_stop", "index": 0},
    opened(1, type="text", text=""),
    delta(1, type="text_delta", text="I look "),
    delta(1, type="text_delta", text="at both."),
    opened(2, type="tool_use", id="toolu_1", name="Read", input={}),
    opened(3, type="tool_use", id="toolu_2", name="Read", input={}),
    delta(3, type="input_json_delta", partial_json='{"path": "/b"}'),
    delta(2, type="input_json_delta", partial_json='{"path": '),
    delta(2, type="input_json_delta", partial_json='"/a"}'),
    PING,
    ended("tool_use", output_tokens=77, input_tokens=None),
    STOP,
]


def test_a_stream_is_put_together() -> None:
    """Text, interleaved parallel tool calls, cumulative usage and stop reason, from pieces and past pings."""
    facts = stream(TOOLS)
    assert facts.model == MODEL
    assert facts.response_text == "I look at both."
    assert facts.tool_calls == (
        ToolUse("toolu_1", "Read", '{"path": "/a"}', {"path": "/a"}),
        ToolUse("toolu_2", "Read", '{"path": "/b"}', {"path": "/b"}),
    )
    assert facts.usage == Usage(input=25, output=77, cache_read=1000, cache_write=200)
    assert (facts.stop_reason, facts.problem, facts.stream) == ("tool_use", None, True)


@pytest.mark.parametrize("cut", range(len(TOOLS)))
def test_a_stream_cut_anywhere_gives_what_came(cut: int) -> None:
    """Every head of a stream is read, and says that it is one."""
    facts = stream(TOOLS[:cut])
    assert facts.problem == "the stream ended before message_stop"
    assert facts.model == (MODEL if cut else None)
    assert len(facts.tool_calls) == sum(event["type"] == "content_block_start" for event in TOOLS[8:cut])


def test_half_a_tool_call_keeps_its_text() -> None:
    """Arguments that do not parse are text, never a guess."""
    (call,) = stream([*TOOLS[:9], delta(2, type="input_json_delta", partial_json='{"pa')]).tool_calls
    assert call == ToolUse("toolu_1", "Read", '{"pa', None)


def test_a_tool_call_without_input_has_an_empty_object() -> None:
    """A tool without parameters gets no delta at all."""
    (call,) = stream([start(), opened(0, type="tool_use", id="t", name="now", input={}), STOP]).tool_calls
    assert call == ToolUse("t", "now", "{}", {})


def test_an_error_event_ends_a_stream() -> None:
    """Its type and message are told, and the stream counts as ended."""
    facts = stream(
        [start(input_tokens=1), {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}]
    )
    assert (facts.error_type, facts.error_message, facts.problem) == ("overloaded_error", "busy", None)


@pytest.mark.parametrize(
    "strange",
    [
        delta(9, type="text_delta", text="no such block"),
        delta(-1, type="text_delta", text="x"),
        {"type": "content_block_start", "index": "0", "content_block": {"type": "text"}},
        {"type": "content_block_start", "index": 5, "content_block": "text"},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": 7}},
        {"type": "message_delta", "delta": None, "usage": "many"},
        {"type": ["message_stop"]},
        {},
    ],
)
def test_strange_events_are_passed_over(strange: dict[str, Any]) -> None:
    """An event of the right name and the wrong shape changes nothing."""
    whole = stream([*TOOLS[:-1], strange, STOP])
    assert whole == stream(TOOLS)


def test_an_answer_in_one_piece() -> None:
    """Text, tool calls, usage with the hour's share of cache writes, stop reason."""
    facts = read_response(
        {
            "type": "message",
            "model": MODEL,
            "content": [
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "t", "name": "ls", "input": {"p": 1}},
                {"type": "text", "text": "b"},
            ],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 1,
                "output_tokens": 2,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "service_tier": "standard",
            },
        }
    )
    assert facts.response_text == "a\nb"
    assert facts.tool_calls == (ToolUse("t", "ls", '{"p":1}', {"p": 1}),)
    assert facts.usage == Usage(1, 2, None, 30, 20)
    assert facts.stop_reason == "end_turn"


@pytest.mark.parametrize(
    "usage",
    [{"service_tier": "batch"}, {"service_tier": "priority"}, {"speed": "fast"}, {"inference_geo": "us"}],
)
def test_other_tiers_are_not_at_list_price(usage: dict[str, str]) -> None:
    """Batch, priority, fast and regional answers cost something else."""
    facts = read_response({"usage": {"input_tokens": 1, "output_tokens": 1} | usage})
    assert facts.usage is not None
    assert not facts.usage.standard


def test_an_error_answer() -> None:
    """The error's type and message, and no usage."""
    facts = read_response({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}})
    assert (facts.error_type, facts.error_message, facts.usage) == ("rate_limit_error", "slow down", None)


def test_count_tokens_is_only_a_count() -> None:
    """The bare answer of `count_tokens` gives input tokens."""
    assert read_response({"input_tokens": 14}).usage == Usage(input=14)


def test_messages_are_taken_out_of_a_request() -> None:
    """The rest keeps everything else; each message knows its role, text and tools."""
    facts = read_request(
        {
            "model": MODEL,
            "stream": True,
            "system": "be brief",
            "messages": [
                {"role": "user", "content": "list"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t1", "name": "ls", "input": {"p": 1}}],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "content": [{"type": "text", "text": "a b"}],
                        },
                        {"type": "tool_result", "tool_use_id": "t2", "content": "c", "is_error": True},
                        {"type": "text", "text": "go on"},
                        {"type": "image", "source": {"data": "AAAA"}},
                    ],
                },
            ],
        }
    )
    assert facts.rest == '{"model":"claude-sonnet-5-5","stream":true,"system":"be brief"}'
    assert [(turn.role, turn.text) for turn in facts.turns] == [
        ("user", "list"),
        ("assistant", ""),
        ("user", "a b\nc\ngo on"),
    ]
    assert facts.turns[1].tool_calls == (ToolUse("t1", "ls", '{"p":1}', {"p": 1}),)
    assert facts.turns[2].tool_results == ("t1", "t2")


SAME = [
    {"role": "user", "content": "hi"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    {"role": "user", "content": [{"text": "hi", "type": "text", "cache_control": {"type": "ephemeral"}}]},
]


def test_cache_marks_do_not_rename_a_message() -> None:
    """Text, text block and marked block are one message: the raw bytes differ, what was said does not."""
    assert len({read_request({"messages": [message]}).turns[0].canonical for message in SAME}) == 1


def test_cache_marks_go_from_tool_results_but_not_from_arguments() -> None:
    """Only the API's own mark is removed; a tool's argument of that name is what was said."""
    mark = {"cache_control": {"type": "ephemeral"}}
    block = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "x"} | mark],
    } | mark
    tool = {"type": "tool_use", "id": "t", "name": "n", "input": mark}
    turn = read_request({"messages": [{"role": "user", "content": [block, tool]}]}).turns[0]
    assert turn.canonical.count(b"cache_control") == 1


@pytest.mark.parametrize("messages", [None, "text", {}, []])
def test_messages_of_another_shape_stay_in_the_body(messages: Any) -> None:
    """Nothing is taken out, so nothing is lost."""
    facts = read_request({"messages": messages})
    assert (facts.turns, facts.rest) == ((), None)


@pytest.mark.parametrize("message", [None, 7, "text", [], {"role": 3}, {"content": {"type": "text"}}])
def test_a_message_of_another_shape_is_still_a_message(message: Any) -> None:
    """It is stored under role unknown, with its JSON."""
    (turn,) = read_request({"messages": [message]}).turns
    assert turn.role == "unknown"
    assert "content" in json.loads(turn.canonical)


@pytest.mark.parametrize("content", ["hi", [{"type": "text", "text": "hi"}], None, 7])
def test_equal_canonical_json_is_an_equal_message(content: Any) -> None:
    """What is no message and a message without a role must not become two documents of one name."""
    bare, dressed = (read_request({"messages": [item]}).turns for item in (content, {"content": content}))
    assert bare == dressed
