"""OpenAI's chat completions, responses and embeddings: requests, answers, streams whole and cut, errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tachograph.processors.enrichment.facts import Facts, ToolUse, Usage
from tachograph.processors.enrichment.openai import read_request, read_response, read_stream
from tachograph.processors.enrichment.sse import parse_sse

MODEL = "gpt-5"


def stream(events: Sequence[dict[str, Any] | str]) -> Facts:
    texts = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return read_stream(parse_sse("".join(f"data: {text}\n\n" for text in texts)))


def chat(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def call(index: int, arguments: str, **names: str) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": names["name"]} if "name" in names else {})
    found = {"index": index, "function": function}
    return {"tool_calls": [found | ({"id": names["id"]} if "id" in names else {})]}


CHAT = [
    chat({"role": "assistant", "content": "Wait"}),
    chat({"content": " a bit"}),
    chat(call(0, "", id="call_1", name="read")),
    chat(call(0, '{"path":')),
    chat(call(1, '{"path":"/b"}', id="call_2", name="read")),
    chat(call(0, '"/a"}')),
    chat({}, "tool_calls"),
    {
        "model": MODEL,
        "choices": [],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 60},
        },
    },
]


def test_a_chat_stream_is_put_together() -> None:
    """Text, parallel tool calls, usage without what the cache served, finish reason."""
    facts = stream([*CHAT, "[DONE]"])
    assert (facts.model, facts.response_text, facts.stop_reason) == (MODEL, "Wait a bit", "tool_calls")
    assert facts.tool_calls == (
        ToolUse("call_1", "read", '{"path":"/a"}', {"path": "/a"}),
        ToolUse("call_2", "read", '{"path":"/b"}', {"path": "/b"}),
    )
    assert facts.usage == Usage(input=40, output=20, cache_read=60)
    assert facts.problem is None


@pytest.mark.parametrize("cut", range(len(CHAT) + 1))
def test_a_chat_stream_cut_anywhere_gives_what_came(cut: int) -> None:
    """Without `[DONE]` the stream says that it was cut."""
    facts = stream(CHAT[:cut])
    assert facts.problem == "the stream ended before its last event"
    assert facts.response_text == {0: None, 1: "Wait"}.get(cut, "Wait a bit")


def test_choices_do_not_mix() -> None:
    """With several choices each keeps its own text."""
    facts = stream(
        [chat({"content": "a"}), chat({"content": "b"}, index=1), chat({"content": "A"}), "[DONE]"]
    )
    assert facts.response_text == "aA\nb"


def test_an_error_in_a_stream() -> None:
    """An error object ends the stream with its type and message."""
    facts = stream([CHAT[0], {"error": {"type": "server_error", "message": "oops"}}])
    assert (facts.error_type, facts.error_message, facts.problem) == ("server_error", "oops", None)


RESPONSE = {
    "object": "response",
    "model": MODEL,
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
        {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": '{"path":"/a"}'},
    ],
    "usage": {"input_tokens": 50, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 10}},
}
EVENTS = [
    {"type": "response.created", "response": {"model": MODEL, "status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "Do"},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "ne."},
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": {"type": "function_call", "call_id": "call_1", "name": "read"},
    },
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"path":"/a"}'},
]


def test_a_response_in_one_piece_and_streamed_say_the_same() -> None:
    """The last event repeats the whole answer."""
    whole = read_response(RESPONSE)
    streamed = stream([*EVENTS, {"type": "response.completed", "response": RESPONSE}])
    assert whole.response_text == streamed.response_text == "Done."
    assert whole.tool_calls == streamed.tool_calls
    assert whole.tool_calls == (ToolUse("call_1", "read", '{"path":"/a"}', {"path": "/a"}),)
    assert whole.usage == streamed.usage == Usage(40, 5, 10)
    assert whole.stop_reason == streamed.stop_reason == "completed"
    assert streamed.stream


def test_a_responses_stream_that_is_cut_gives_what_came() -> None:
    """Deltas are put together where the last event never came."""
    facts = stream(EVENTS)
    assert (facts.model, facts.response_text) == (MODEL, "Done.")
    assert facts.tool_calls == (ToolUse("call_1", "read", '{"path":"/a"}', {"path": "/a"}),)
    assert facts.problem == "the stream ended before its last event"


def test_an_incomplete_response_says_why() -> None:
    """The reason stands before the bare status."""
    cut = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert read_response(cut).stop_reason == "max_output_tokens"


def test_a_chat_completion_in_one_piece() -> None:
    """Content, refusal, tool calls, usage and finish reason."""
    facts = read_response(
        {
            "model": MODEL,
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {
                        "content": "yes",
                        "refusal": "but",
                        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{oops"}}],
                    },
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        }
    )
    assert (facts.response_text, facts.stop_reason) == ("yes\nbut", "stop")
    assert facts.tool_calls == (ToolUse("c", "f", "{oops", None),)
    assert facts.usage == Usage(3, 4)


@pytest.mark.parametrize("tier", ["flex", "priority", "batch"])
def test_other_tiers_are_not_at_list_price(tier: str) -> None:
    """Only the default tier has the list's price."""
    usage = read_response(RESPONSE | {"service_tier": tier}).usage
    assert usage is not None
    assert not usage.standard


def test_an_error_answer() -> None:
    """Type or code, and message."""
    facts = read_response({"error": {"message": "no such model", "type": None, "code": "model_not_found"}})
    assert (facts.error_type, facts.error_message) == ("model_not_found", "no such model")


def test_messages_are_taken_out_of_a_chat_request() -> None:
    """System, user, assistant with calls, tool with its call's id."""
    facts = read_request(
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "brief"},
                {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "result"},
            ],
        }
    )
    assert facts.rest == '{"model":"gpt-5"}'
    assert [(turn.role, turn.text) for turn in facts.turns] == [
        ("system", "brief"),
        ("user", "hi"),
        ("assistant", ""),
        ("tool", "result"),
    ]
    assert facts.turns[2].tool_calls == (ToolUse("c1", "f", "{}", {}),)
    assert facts.turns[3].tool_results == ("c1",)


def test_input_is_taken_out_of_a_responses_request() -> None:
    """Items of every kind get the role of who spoke."""
    facts = read_request(
        {
            "model": MODEL,
            "instructions": "brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "reasoning", "encrypted_content": "x"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
                {"type": "function_call_output", "call_id": "c1", "output": "result"},
                {},
            ],
        }
    )
    assert [turn.role for turn in facts.turns] == ["user", "assistant", "assistant", "tool", "unknown"]
    assert facts.turns[2].tool_calls == (ToolUse("c1", "f", '{"a":1}', {"a": 1}),)
    assert (facts.turns[3].tool_results, facts.turns[3].text) == (("c1",), "result")


def test_an_input_text_is_one_message_of_the_user() -> None:
    """The short form means the same as the long one."""
    (turn,) = read_request({"input": "hi"}).turns
    assert (turn.role, turn.text) == ("user", "hi")


def test_embeddings_count_tokens_and_say_nothing() -> None:
    """Their answer has a usage and no text."""
    facts = read_response({"object": "list", "model": "m", "data": [], "usage": {"prompt_tokens": 8}})
    assert (facts.usage, facts.response_text) == (Usage(input=8), None)
