"""OpenAI's Responses: tool calls are output items, told in pieces, as an item, and in the whole answer.

From an item's beginning to its end all is kept back. A refused call becomes a message in the same place; the
last event, which repeats the answer, is rewritten alike, and a call that only stands there is judged there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from tachograph.ingress.llm.calls import ToolCall, at, known, objects, record, text
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.openai_chat import COMMENT
from tachograph.ingress.llm.sse import Event, Json, written

__all__ = ["Responses", "whole_calls", "whole_rewritten"]

_KEYS = frozenset(
    {"type", "output_index", "item", "response", "delta", "arguments", "input", "sequence_number", "error"}
)
_ITEM_KEYS = frozenset({"type", "id", "call_id", "name", "arguments", "input"})
_RESPONSE_KEYS = frozenset({"output", "model"})
_REQUESTS = frozenset({"mcp_approval_request"})
_WRITTEN = frozenset({"function_call", "mcp_call", "mcp_approval_request", "custom_tool_call"})
"""Calls whose arguments are text; those of the others are what else stands in the item."""
_FRAME = frozenset({"type", "id", "call_id", "status", "output", "outputs", "result", "results"})

Key = tuple[str, str, bytes]
"""What makes a call the same one when it is told again."""


@dataclass(slots=True)
class _Open:
    """An item that has begun."""

    pieces: list[str] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    """Arguments as an event has told them whole."""
    events: int = 0
    call: ToolCall | None = None
    item: Json = field(default_factory=dict)


class Responses:
    """One stream. See `stream.Dialect`."""

    ping = COMMENT

    def __init__(self) -> None:
        self._model: str | None = None
        self._open: dict[int, _Open] = {}
        self._ended: dict[int, _Open] = {}
        """Complete, and kept back until those that began in the meantime are."""
        self._verdicts: dict[Key, str | None] = {}
        self._asked: list[ToolCall] = []
        self._sequence = 0

    def take(self, event: Event) -> Sequence[ToolCall] | None:
        value = event.value
        if value is None:
            return None if self._open else ()
        known(value, _KEYS)
        kind = text(value, "type")
        if not kind or event.name not in {None, kind}:
            raise Unreadable("expected events that say their type, the same in both places")
        if value.get("response"):
            return self._whole(record(value, "response"))
        if "output_index" in value:
            self._item(kind, value)
        if self._open or not self._ended:
            return None if self._open else ()
        self._asked = [item.call for item in self._ended.values() if item.call is not None]
        return self._asked

    def release(self, kept: Sequence[Event], refusals: dict[int, str]) -> bytes:
        for number, call in enumerate(self._asked):
            self._verdicts[_key(call)] = refusals.get(number)
        ended, self._ended, self._asked = self._ended, {}, []
        refused = {
            index: told
            for index, item in ended.items()
            if item.call is not None and (told := self._verdicts[_key(item.call)]) is not None
        }
        out: list[bytes] = []
        begun: dict[int, int] = {}
        for event in kept:
            value = event.value
            index = value.get("output_index") if value is not None else None
            if value is None or (index not in refused and not value.get("response")):
                out.append(event.raw)
            elif index in refused:
                begun.setdefault(index, _number(value))
                if text(value, "type") == "response.output_item.done":
                    place = (index, begun[index], _number(value))
                    out += _message_events(ended[index].item, refused[index], place)
            else:
                out.append(self._retold(event, value))
        return b"".join(out)

    def error(self, reason: str, kind: str) -> bytes:
        fields = {"type": "error", "code": kind, "message": reason, "param": None}
        return written(fields | {"sequence_number": self._sequence + 1}, "error")

    def _item(self, kind: str, value: Json) -> None:
        index, item = at(value, "output_index"), record(value, "item")
        self._sequence = max(self._sequence, _number(value))
        known(item, _ITEM_KEYS)
        found = self._open.get(index)
        if kind == "response.output_item.added" and _is_call(item):
            if found is not None or index in self._ended:
                raise Unreadable("expected each item to begin once")
            self._open[index] = _Open()
        elif kind == "response.output_item.done" and _is_call(item):
            self._end(index, item)
        elif found is not None and kind.startswith("response.output_item."):
            raise Unreadable("expected an item to stay what it began as")
        elif found is not None:
            _collect(found, kind, value)
        elif "call" in kind and ("arguments" in kind or "input" in kind):
            raise Unreadable("expected pieces of a tool call in a tool call, and nowhere else")

    def _end(self, index: int, item: Json) -> None:
        if index in self._ended:
            raise Unreadable("expected each item to end once")
        found = self._open.pop(index, None) or _Open()
        call = _call(item, self._model)
        arguments = text(item, _field(item)) if text(item, "type") in _WRITTEN else None
        streamed = "".join(found.pieces)
        told = found.said | ({streamed} if streamed and arguments is not None else set())
        if arguments is not None and not told <= {arguments}:
            call = ToolCall(
                call.id, call.name, call.arguments, call.model, "expected the same arguments each time"
            )
        found.call, found.item = call, item
        self._ended[index] = found

    def _whole(self, response: Json) -> Sequence[ToolCall] | None:
        known(response, _RESPONSE_KEYS)
        self._model = text(response, "model") or self._model
        calls = whole_calls(response)
        if self._open and (calls or response.get("output")):
            raise Unreadable("expected a tool call to be complete before the answer is")
        self._asked = list({_key(call): call for call in calls if _key(call) not in self._verdicts}.values())
        return None if self._open else self._asked

    def _retold(self, event: Event, value: Json) -> bytes:
        response = record(value, "response")
        told = [self._verdicts.get(_key(call)) for call in whole_calls(response)]
        refusals = {number: reason for number, reason in enumerate(told) if reason is not None}
        if not refusals:
            return event.raw
        return written(value | {"response": whole_rewritten(response, refusals)}, event.name)


def whole_calls(body: Json) -> list[ToolCall]:
    """The tool calls of a whole response, in order. Raises `Unreadable`."""
    known(body, _RESPONSE_KEYS)
    model = text(body, "model") or None
    found = []
    for item in objects(body, "output"):
        known(item, _ITEM_KEYS)
        if _is_call(item):
            found.append(_call(item, model))
    return found


def whole_rewritten(body: Json, refusals: dict[int, str]) -> Json:
    """The response with the calls at these places of `whole_calls` refused."""
    output: list[Json] = []
    number = -1
    for item in objects(body, "output"):
        call = _is_call(item)
        number += call
        told = refusals.get(number) if call else None
        output.append(item if told is None else _message(item, told))
    return body | {"output": output}


def _collect(found: _Open, kind: str, value: Json) -> None:
    if kind.endswith(".delta"):
        found.pieces.append(text(value, "delta"))
    elif kind.endswith(".done"):
        found.said |= {text(value, key) for key in ("arguments", "input") if key in value}


def _is_call(item: Json) -> bool:
    kind = text(item, "type")
    return kind.endswith("_call") or kind in _REQUESTS


def _field(item: Json) -> str:
    return "input" if text(item, "type") == "custom_tool_call" else "arguments"


def _call(item: Json, model: str | None) -> ToolCall:
    kind = text(item, "type")
    name = text(item, "name") or kind.removesuffix("_call")
    id_ = text(item, "call_id") or text(item, "id")
    if kind == "custom_tool_call":
        return ToolCall(id_, name, orjson.dumps({"input": text(item, "input")}), model)
    if kind in _WRITTEN:
        return ToolCall(id_, name, text(item, "arguments").strip().encode() or b"{}", model)
    rest = {key: value for key, value in item.items() if key not in _FRAME}
    return ToolCall(id_, name, orjson.dumps(rest, option=orjson.OPT_SORT_KEYS), model)


def _key(call: ToolCall) -> Key:
    return call.id, call.name, call.arguments


def _number(value: Json) -> int:
    found = value.get("sequence_number", 0)
    return found if isinstance(found, int) else 0


def _message(item: Json, told: str) -> Json:
    part = {"type": "output_text", "text": told, "annotations": []}
    return {
        "type": "message",
        "id": f"msg_{text(item, 'id') or text(item, 'call_id')}",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _message_events(item: Json, told: str, place: tuple[int, int, int]) -> list[bytes]:
    """A message in place of the item; its events are numbered within what the item's own had."""
    index, first, last = place
    message = _message(item, told)
    begun = message | {"status": "in_progress", "content": []}
    part = message["content"][0]
    inside = {"item_id": message["id"], "output_index": index, "content_index": 0}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        {"type": "response.content_part.added", **inside, "part": part | {"text": ""}},
        {"type": "response.output_text.delta", **inside, "delta": told, "logprobs": []},
        {"type": "response.output_text.done", **inside, "text": told, "logprobs": []},
        {"type": "response.content_part.done", **inside, "part": part},
        {"type": "response.output_item.done", "output_index": index, "item": message},
    ]
    return [
        written(event | {"sequence_number": min(first + number, last)}, event["type"])
        for number, event in enumerate(events)
    ]
