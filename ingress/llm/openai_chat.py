"""OpenAI's Chat Completions: tool calls are pieces in `delta`, several at once, complete at `finish_reason`.

From the first piece on all is kept back until every choice that calls a tool has finished. A refused call is
taken out, those behind it move up, and the refusal is said in `content` before the choice finishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tachograph.ingress.llm.calls import ToolCall, at, joined, known, objects, record, text
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.sse import Event, Json, written

__all__ = ["COMMENT", "ChatCompletions", "whole_calls", "whole_rewritten"]

COMMENT = b": the gateway waits for an approval\n\n"
MAX_CALLS = 256
"""Tool calls of one answer."""
_KEYS = frozenset({"choices", "error", "model"})
_CHOICE_KEYS = frozenset({"index", "delta", "message", "finish_reason"})
_MESSAGE_KEYS = frozenset({"content", "tool_calls", "function_call", "role"})
_CALL_KEYS = frozenset({"index", "id", "type", "function", "custom"})
_FUNCTION_KEYS = frozenset({"name", "arguments", "input"})
_CALL_REASONS = frozenset({"tool_calls", "function_call"})
_OLD = -1
"""The place of a `function_call`, of which there is one at most."""

Place = tuple[int, int]
"""Of a call: its choice, and its index there."""


@dataclass(slots=True)
class _Call:
    """The pieces of one call."""

    id: str = ""
    name: str = ""
    custom: bool = False
    pieces: list[str] = field(default_factory=list)
    problem: str | None = None

    def add(self, piece: Json) -> None:
        known(piece, _CALL_KEYS)
        self.custom = self.custom or text(piece, "type") == "custom" or "custom" in piece
        function = record(piece, "custom" if self.custom else "function")
        if self.custom and piece.get("function"):
            raise Unreadable("expected a call of a function or of a custom tool, got both")
        self.id = self._once(self.id, text(piece, "id"))
        self.call(function)

    def call(self, function: Json) -> None:
        known(function, _FUNCTION_KEYS)
        self.name = self._once(self.name, text(function, "name"))
        self.pieces.append(text(function, "input" if self.custom else "arguments"))

    def _once(self, had: str, got: str) -> str:
        if had and got and had != got:  # some clients take the last one, some join both
            self.problem = "expected a call to be named once"
        return got or had

    def told(self, model: str | None) -> ToolCall:
        if self.custom:
            return ToolCall(
                self.id, self.name, orjson.dumps({"input": "".join(self.pieces)}), model, self.problem
            )
        arguments, doubt = joined(self.pieces, None)
        return ToolCall(self.id, self.name, arguments, model, self.problem or doubt)


class ChatCompletions:
    """One stream. See `stream.Dialect`."""

    ping = COMMENT

    def __init__(self) -> None:
        self._calls: dict[Place, _Call] = {}
        self._open: set[int] = set()
        """Choices that have begun to call and have not finished."""
        self._finished: set[int] = set()
        self._spoken: set[int] = set()
        """Choices that have said something already."""

    def take(self, event: Event) -> Sequence[ToolCall] | None:
        value = event.value
        if value is None:
            if event.done and self._open:
                raise Unreadable("expected tool calls to be complete before the stream is done")
            return None if self._open else ()
        known(value, _KEYS)
        if value.get("error") and self._open:
            raise Unreadable("the target broke off in the middle of a tool call")
        for choice in objects(value, "choices"):
            self._choice(choice)
        if self._open or not self._calls:
            return None if self._open else ()
        model = text(value, "model") or None
        return [call.told(model) for _, call in sorted(self._calls.items())]

    def release(self, kept: Sequence[Event], refusals: dict[int, str]) -> bytes:
        places, self._calls = sorted(self._calls), {}
        if not refusals:
            return b"".join(event.raw for event in kept)
        refused = {places[number]: told for number, told in refusals.items()}
        moved = _moved(places, refused)
        return b"".join(piece for event in kept for piece in self._rewritten(event, refused, moved))

    def error(self, reason: str, kind: str) -> bytes:
        return written({"error": {"message": reason, "type": kind, "param": None, "code": kind}})

    def _choice(self, choice: Json) -> None:
        known(choice, _CHOICE_KEYS)
        delta = record(choice, "delta")
        known(delta, _MESSAGE_KEYS)
        message = record(choice, "message")
        if any(message.get(key) for key in ("tool_calls", "function_call")):
            raise Unreadable("expected a stream to call tools in `delta` only")
        pieces, old = list(objects(delta, "tool_calls")), delta.get("function_call")
        index = at(choice, "index") if "index" in choice or pieces or old else 0
        if pieces or old:
            self._pieces(index, pieces, record(delta, "function_call") if old else None)
        elif delta.get("content") and index not in self._open:
            self._spoken.add(index)
        if text(choice, "finish_reason"):
            self._open.discard(index)
            self._finished.add(index)

    def _pieces(self, index: int, pieces: Sequence[Json], old: Json | None) -> None:
        if index in self._finished:
            raise Unreadable("expected no tool call from a choice that has finished")
        self._open.add(index)
        for piece in pieces:
            self._calls.setdefault((index, at(piece, "index")), _Call()).add(piece)
        if old is not None:
            self._calls.setdefault((index, _OLD), _Call()).call(old)
        if len(self._calls) > MAX_CALLS:
            raise Unreadable(f"expected at most {MAX_CALLS} tool calls")

    def _rewritten(self, event: Event, refused: dict[Place, str], moved: dict[Place, int]) -> Iterator[bytes]:
        value = event.value
        if value is None or not any(_touched(choice, refused) for choice in objects(value, "choices")):
            yield event.raw
            return
        choices = []
        for choice in objects(value, "choices"):
            index = at(choice, "index")
            if text(choice, "finish_reason"):
                yield from self._said(value, index, refused)
            changed = _thinned(choice, refused, moved)
            if changed is not None:
                choices.append(changed)
        if choices or value.get("usage"):
            yield written(value | {"choices": choices}, event.name)

    def _said(self, value: Json, index: int, refused: dict[Place, str]) -> Iterator[bytes]:
        told = "\n\n".join(reason for place, reason in refused.items() if place[0] == index)
        if told:
            content = ("\n\n" if index in self._spoken else "") + told
            choice = {"index": index, "delta": {"content": content}, "finish_reason": None}
            yield written({key: value[key] for key in value if key != "usage"} | {"choices": [choice]})


def whole_calls(body: Json) -> list[ToolCall]:
    """The tool calls of a whole completion, in order. Raises `Unreadable`."""
    known(body, _KEYS)
    model = text(body, "model") or None
    return [call.told(model) for _, call in _whole(body)]


def whole_rewritten(body: Json, refusals: dict[int, str]) -> Json:
    """The completion with the calls at these places of `whole_calls` refused."""
    places = [place for place, _ in _whole(body)]
    refused = {places[number]: told for number, told in refusals.items()}
    moved = _moved(places, refused)
    choices = []
    for number, choice in enumerate(objects(body, "choices")):
        told = "\n\n".join(reason for place, reason in refused.items() if place[0] == number)
        message = record(choice, "message")
        if told:
            content = _with_text(message.get("content"), told)
            kept = [
                call
                for at_, call in enumerate(objects(message, "tool_calls"))
                if (number, at_) not in refused
            ]
            message = _without(message, kept, old=(number, _OLD) in refused) | {"content": content}
        choices.append(_reason(choice | {"message": message}, number, refused, moved))
    return body | {"choices": choices}


def _with_text(said: Any, told: str) -> Any:
    if isinstance(said, list):  # parts, as some servers answer
        return [*said, {"type": "text", "text": told}]
    return f"{said}\n\n{told}" if isinstance(said, str) and said else told


def _whole(body: Json) -> Iterator[tuple[Place, _Call]]:
    for number, choice in enumerate(objects(body, "choices")):
        known(choice, _CHOICE_KEYS)
        message = record(choice, "message")
        known(message, _MESSAGE_KEYS)
        if any(record(choice, "delta").get(key) for key in ("tool_calls", "function_call")):
            raise Unreadable("expected a whole answer to call tools in `message` only")
        if message.get("function_call"):
            call = _Call()
            call.call(record(message, "function_call"))
            yield (number, _OLD), call
        for index, piece in enumerate(objects(message, "tool_calls")):
            call = _Call()
            call.add(piece)
            yield (number, index), call


def _moved(places: Sequence[Place], refused: dict[Place, str]) -> dict[Place, int]:
    """Where each call that is left stands then."""
    moved: dict[Place, int] = {}
    counts: dict[int, int] = {}
    for place in places:
        if place not in refused and place[1] != _OLD:
            moved[place] = counts.get(place[0], 0)
            counts[place[0]] = moved[place] + 1
        elif place not in refused:
            moved[place] = _OLD
    return moved


def _touched(choice: Json, refused: dict[Place, str]) -> bool:
    delta = record(choice, "delta")
    calling = delta.get("tool_calls") or delta.get("function_call") or text(choice, "finish_reason")
    return bool(calling) and any(place[0] == choice.get("index") for place in refused)


def _thinned(choice: Json, refused: dict[Place, str], moved: dict[Place, int]) -> Json | None:
    """A choice of a streamed event without refused calls; None where nothing is left of it."""
    index = at(choice, "index")
    delta = record(choice, "delta")
    kept = [
        piece | {"index": moved[index, at(piece, "index")]}
        for piece in objects(delta, "tool_calls")
        if (index, at(piece, "index")) not in refused
    ]
    thin = _without(delta, kept, old=(index, _OLD) in refused)
    empty = not any(value for key, value in thin.items() if key != "role") and "role" not in thin
    if thin != delta and empty and not text(choice, "finish_reason"):
        return None
    return _reason(choice | {"delta": thin}, index, refused, moved)


def _without(message: Json, kept: Sequence[Json], *, old: bool) -> Json:
    gone = {"tool_calls"} if not kept and "tool_calls" in message else set()
    gone |= {"function_call"} if old else set()
    left: dict[str, Any] = {key: value for key, value in message.items() if key not in gone}
    return left | ({"tool_calls": list(kept)} if kept else {})


def _reason(choice: Json, index: int, refused: dict[Place, str], moved: dict[Place, int]) -> Json:
    mine = any(place[0] == index for place in refused)
    left = any(place[0] == index for place in moved)
    if mine and not left and choice.get("finish_reason") in _CALL_REASONS:
        return choice | {"finish_reason": "stop"}
    return choice
