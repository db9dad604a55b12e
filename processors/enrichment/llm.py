"""Chooses who reads an LLM exchange, by the request's path: the wire has no other name for its dialect.

A path that nobody here knows is an API call like any other; its body stays text and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tachograph.processors.enrichment import anthropic, openai
from tachograph.processors.enrichment.conversation import trailing
from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.shapes import Json, load
from tachograph.processors.enrichment.sse import ServerSentEvent, parse_sse

__all__ = ["read_request", "read_response"]


@dataclass(frozen=True, slots=True)
class _Dialect:
    operation: str
    request: Callable[[Json], Facts]
    response: Callable[[Json], Facts]
    stream: Callable[[Iterable[ServerSentEvent]], Facts]


def _anthropic(operation: str) -> _Dialect:
    return _Dialect(operation, anthropic.read_request, anthropic.read_response, anthropic.read_stream)


def _openai(operation: str) -> _Dialect:
    return _Dialect(operation, openai.read_request, openai.read_response, openai.read_stream)


_DIALECTS = {
    "/messages": _anthropic("messages"),
    "/messages/count_tokens": _anthropic("messages/count_tokens"),
    "/chat/completions": _openai("chat/completions"),
    "/responses": _openai("responses"),
    "/embeddings": _openai("embeddings"),
}
_KEEPS_BODY = frozenset({"embeddings", "messages/count_tokens"})
"""Their input is no conversation: it stays in the request document."""


def read_request(path: str, body: str) -> Facts:
    """Facts of a request body; a body that is not the JSON object that its path wants says so."""
    dialect = _dialect(path)
    if dialect is None:
        return Facts()
    if not body:
        return Facts(operation=dialect.operation)
    value = load(body)
    if not isinstance(value, dict):
        return Facts(operation=dialect.operation, problem="expected a JSON object, the request is none")
    facts = dialect.request(value)
    if dialect.operation in _KEEPS_BODY:
        return replace(facts, operation=dialect.operation, turns=(), rest=None)
    new = facts.turns[trailing(facts.turns) :]
    results = tuple(found for turn in new for found in turn.tool_results)
    return replace(facts, operation=dialect.operation, tool_results=results)


def read_response(path: str, body: str, *, sse: bool) -> Facts:
    """Facts of an answer, streamed or not."""
    dialect = _dialect(path)
    if dialect is None:
        return Facts()
    if not body:
        return Facts(operation=dialect.operation)
    if sse:
        return replace(dialect.stream(parse_sse(body)), operation=dialect.operation)
    value = load(body)
    if not isinstance(value, dict):
        return Facts(operation=dialect.operation, problem="expected a JSON object, the answer is none")
    return replace(dialect.response(value), operation=dialect.operation)


def _dialect(path: str) -> _Dialect | None:
    tail = path.rstrip("/")
    return next((dialect for end, dialect in _DIALECTS.items() if tail.endswith(end)), None)
