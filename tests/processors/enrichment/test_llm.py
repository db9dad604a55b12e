"""The path decides who reads an LLM exchange; an unknown one is nobody's."""

from __future__ import annotations

import json

import pytest

from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.llm import read_request, read_response

PATHS = [
    ("/v1/messages", "messages", "anthropic"),
    ("/proxy/v1/messages/", "messages", "anthropic"),
    ("/v1/messages/count_tokens", "messages/count_tokens", "anthropic"),
    ("/v1/chat/completions", "chat/completions", "openai"),
    ("/openai/deployments/x/chat/completions", "chat/completions", "openai"),
    ("/v1/responses", "responses", "openai"),
    ("/v1/embeddings", "embeddings", "openai"),
]


@pytest.mark.parametrize(("path", "operation", "provider"), PATHS)
def test_the_path_names_dialect_and_operation(path: str, operation: str, provider: str) -> None:
    """Under any prefix, for requests and answers."""
    body = json.dumps({"model": "m"})
    for facts in (read_request(path, body), read_response(path, body, sse=False)):
        assert (facts.operation, facts.provider, facts.model) == (operation, provider, "m")


@pytest.mark.parametrize("path", ["/", "", "/v1/models", "/v1/message", "/v1/responses/resp_1"])
def test_an_unknown_path_is_read_by_nobody(path: str) -> None:
    """Nothing is guessed, and nothing is wrong with it."""
    body = json.dumps({"model": "m", "messages": []})
    assert read_request(path, body) == read_response(path, body, sse=False) == Facts()


@pytest.mark.parametrize("body", ["[]", "hello", "{", "null", "<html>"])
def test_a_body_that_is_no_object_says_so(body: str) -> None:
    """The reason is told, the operation stays."""
    assert read_request("/v1/messages", body).problem == "expected a JSON object, the request is none"
    assert (
        read_response("/v1/messages", body, sse=False).problem == "expected a JSON object, the answer is none"
    )


def test_no_body_is_no_problem() -> None:
    """A probe or an answer without content is just that."""
    assert read_request("/v1/messages", "") == Facts(operation="messages")
    assert read_response("/v1/messages", "", sse=True) == Facts(operation="messages")


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/messages/count_tokens"])
def test_input_that_is_no_conversation_stays_in_the_body(path: str) -> None:
    """Texts to embed or to count are no messages."""
    body = json.dumps({"model": "m", "input": ["a", "b"], "messages": [{"role": "user", "content": "x"}]})
    facts = read_request(path, body)
    assert (facts.turns, facts.rest, facts.model) == ((), None, "m")


def test_only_results_of_the_new_turn_are_listed() -> None:
    """Results that an earlier request brought already are not this request's."""
    messages = [
        {"role": "tool", "tool_call_id": "old", "content": ""},
        {"role": "assistant", "content": "x"},
        {"role": "tool", "tool_call_id": "new", "content": ""},
        {"role": "tool", "tool_call_id": "newer", "content": ""},
    ]
    facts = read_request("/v1/chat/completions", json.dumps({"messages": messages}))
    assert facts.tool_results == ("new", "newer")


def test_events_go_to_the_dialect_s_stream() -> None:
    """An answer in events is read as a stream of the path's dialect."""
    anthropic = read_response("/v1/messages", 'data: {"type":"message_stop"}\n\n', sse=True)
    openai = read_response("/v1/chat/completions", "data: [DONE]\n\n", sse=True)
    assert (anthropic.provider, anthropic.problem) == ("anthropic", None)
    assert (openai.provider, openai.problem) == ("openai", None)
