"""Reads OpenAI's chat completions, responses and embeddings: requests, answers, streams and errors.

Chat streams are nameless events with `choices[].delta`, closed by `[DONE]`. Responses streams are typed
events; the last (`response.completed`, `.incomplete`, `.failed`) repeats the whole answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tachograph.processors.enrichment.conversation import taken_apart
from tachograph.processors.enrichment.facts import Facts, ToolUse, Turn, Usage
from tachograph.processors.enrichment.shapes import Json, array, count, dumps, load, objects, record, text
from tachograph.processors.enrichment.shapes import kind as kind_of
from tachograph.processors.enrichment.sse import ServerSentEvent

__all__ = ["PROVIDER", "read_request", "read_response", "read_stream"]

PROVIDER = "openai"
_CALLS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read_request(body: Json) -> Facts:
    """Model, whether it streams, and `messages` or `input`, taken out of the rest."""
    key = "messages" if "messages" in body else "input"
    value = body.get(key)
    said = [{"role": "user", "content": value}] if isinstance(value, str) else array(value)
    apart = taken_apart(body, key, said, _turn)
    return Facts(
        provider=PROVIDER,
        model=text(body.get("model")),
        stream=body.get("stream") is True,
        turns=apart.turns,
        rest=apart.rest,
        problem=apart.problem,
    )


def read_response(body: Json) -> Facts:
    """A chat completion, a response, embeddings, or an error."""
    if "output" in body:
        return _response(body)
    error = record(body, "error")
    choices = list(objects(body.get("choices")))
    messages = [record(choice, "message") for choice in choices]
    reasons = [text(choice.get("finish_reason")) for choice in choices]
    return Facts(
        provider=PROVIDER,
        model=text(body.get("model")),
        response_text=text("\n".join(piece for message in messages for piece in _texts(message))),
        tool_calls=tuple(call for message in messages for call in _chat_calls(message)),
        usage=_usage(body),
        stop_reason=next(filter(None, reasons), None),
        error_type=text(error.get("type")) or text(error.get("code")),
        error_message=text(error.get("message")),
    )


def read_stream(events: Iterable[ServerSentEvent]) -> Facts:
    """Put a stream together; one that was cut short gives what came, and says that it was cut."""
    stream = _Stream()
    for event in events:
        if event.data.strip() == "[DONE]":
            stream.done = True
            continue
        stream.take(record(load(event.data)))
    return stream.facts()


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def tool_use(self) -> ToolUse:
        joined = "".join(self.pieces)
        return ToolUse(self.id, self.name, joined, load(joined))


@dataclass(slots=True)
class _Stream:
    model: str | None = None
    texts: dict[int, list[str]] = field(default_factory=dict)
    calls: dict[tuple[int, int], _Call] = field(default_factory=dict)
    usage: Usage | None = None
    stop_reason: str | None = None
    error: Json = field(default_factory=dict)
    final: Facts | None = None
    done: bool = False

    def take(self, event: Json) -> None:
        kind = kind_of(event)
        if "error" in event or kind == "error":
            self.error = record(event, "error") or event
        elif kind in _ENDS:
            self.final = _response(record(event, "response"))
        elif kind.startswith("response."):
            self._responses(kind, event)
        else:
            self._chat(event)

    def facts(self) -> Facts:
        if self.final is not None:
            return replace(self.final, stream=True)
        cut = not (self.done or self.error)
        return Facts(
            provider=PROVIDER,
            model=self.model,
            stream=True,
            response_text=text("\n".join("".join(self.texts[index]) for index in sorted(self.texts))),
            tool_calls=tuple(self.calls[index].tool_use() for index in sorted(self.calls)),
            usage=self.usage,
            stop_reason=self.stop_reason,
            error_type=text(self.error.get("type")) or text(self.error.get("code")),
            error_message=text(self.error.get("message")),
            problem="the stream ended before its last event" if cut else None,
        )

    def _chat(self, event: Json) -> None:
        self.model = text(event.get("model")) or self.model
        self.usage = _usage(event) or self.usage
        for choice in objects(event.get("choices")):
            index = count(choice.get("index")) or 0
            delta = record(choice, "delta")
            self.stop_reason = text(choice.get("finish_reason")) or self.stop_reason
            self.texts.setdefault(index, []).extend(_texts(delta))
            for call in objects(delta.get("tool_calls")):
                self._call(index, call)

    def _call(self, choice: int, piece: Json) -> None:
        call = self.calls.setdefault((choice, count(piece.get("index")) or 0), _Call())
        function = record(piece, "function")
        call.id = text(piece.get("id")) or call.id
        call.name = text(function.get("name")) or call.name
        if arguments := text(function.get("arguments")):
            call.pieces.append(arguments)

    def _responses(self, kind: str, event: Json) -> None:
        index = count(event.get("output_index")) or 0
        piece = text(event.get("delta"))
        if kind == "response.created":
            self.model = text(record(event, "response").get("model"))
        elif kind == "response.output_item.added" and kind_of(record(event, "item")) in _CALLS:
            item = record(event, "item")
            self.calls[0, index] = _Call(text(item.get("call_id")) or "", text(item.get("name")) or "")
        elif kind == "response.output_text.delta" and piece:
            self.texts.setdefault(index, []).append(piece)
        elif kind == "response.function_call_arguments.delta" and piece:
            self.calls.setdefault((0, index), _Call()).pieces.append(piece)


def _response(body: Json) -> Facts:
    error = record(body, "error")
    output = list(objects(body.get("output")))
    return Facts(
        provider=PROVIDER,
        model=text(body.get("model")),
        response_text=text("\n".join(piece for item in output for piece in _texts(item))),
        tool_calls=tuple(_item_call(item) for item in output if kind_of(item) in _CALLS),
        usage=_usage(body),
        stop_reason=text(record(body, "incomplete_details").get("reason")) or text(body.get("status")),
        error_type=text(error.get("code")) or text(error.get("type")),
        error_message=text(error.get("message")),
    )


def _turn(item: Any) -> Turn | None:
    body = record(item)
    kind = kind_of(body)
    calls = tuple(_chat_calls(body))
    if kind in _CALLS:
        calls = (_item_call(body),)
    result = text(body.get("call_id")) if kind in _OUTPUTS else text(body.get("tool_call_id"))
    canonical = dumps(item)
    if canonical is None:
        return None
    return Turn(
        role=_role(body),
        canonical=canonical.encode(),
        text="\n".join(_texts(body)),
        tool_calls=calls,
        tool_results=(result,) if result else (),
    )


def _role(item: Json) -> str:
    if named := text(item.get("role")):
        return named
    if kind_of(item) in _OUTPUTS:
        return "tool"
    # Reasoning and calls of every kind are what the model said; only their outputs are not.
    return "assistant" if kind_of(item) else "unknown"


def _texts(message: Json) -> Iterator[str]:
    for key in ("content", "refusal", "output"):
        value = message.get(key)
        if isinstance(value, str):
            yield value
        for part in objects(value):
            if found := text(part.get("text")) or text(part.get("refusal")):
                yield found


def _chat_calls(message: Json) -> Iterator[ToolUse]:
    for call in objects(message.get("tool_calls")):
        function = record(call, "function")
        arguments = text(function.get("arguments")) or ""
        yield ToolUse(
            text(call.get("id")) or "", text(function.get("name")) or "", arguments, load(arguments)
        )


def _item_call(item: Json) -> ToolUse:
    arguments = text(item.get("arguments")) or text(item.get("input")) or ""
    name = text(item.get("name")) or ""
    return ToolUse(text(item.get("call_id")) or text(item.get("id")) or "", name, arguments, load(arguments))


def _usage(body: Json) -> Usage | None:
    usage = record(body, "usage")
    sent = count(usage.get("prompt_tokens", usage.get("input_tokens")))
    details = record(usage, "prompt_tokens_details") or record(usage, "input_tokens_details")
    cached = count(details.get("cached_tokens"))
    written = count(details.get("cache_write_tokens"))
    output = count(usage.get("completion_tokens", usage.get("output_tokens")))
    if sent is None and output is None:
        return None
    # OpenAI's input count includes what the cache served; ours does not.
    plain = None if sent is None else max(sent - (cached or 0) - (written or 0), 0)
    standard = body.get("service_tier") in (None, "default", "auto", "standard")
    return Usage(plain, output, cached, written, None, standard)
