"""Anthropic's Messages: tool calls are content blocks, one after the other, each with its place.

A call that is refused becomes a block of text in the same place, so all places stay. What a tool of the
provider's own has found already is taken out with its call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tachograph.ingress.llm.calls import ToolCall, at, joined, known, objects, record, text
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.sse import Event, Json, written

__all__ = ["PING", "Messages", "whole_calls", "whole_rewritten"]

PING = written({"type": "ping"}, "ping")
_KEYS = frozenset({"type", "index", "content_block", "delta", "message", "error"})
_BLOCK_KEYS = frozenset({"type", "id", "name", "input", "content", "tool_use_id"})
_DELTA_KEYS = frozenset({"type", "partial_json", "stop_reason"})
_INSIDE = frozenset({"ping", "content_block_delta", "content_block_stop"})
_WITHHELD = "[Tachograph gateway] What the refused tool returned is withheld."


@dataclass(slots=True)
class _Open:
    """A block that is kept back until it is complete."""

    index: int
    block: Json
    pieces: list[str] = field(default_factory=list)


class Messages:
    """One stream. See `stream.Dialect`."""

    ping = PING

    def __init__(self) -> None:
        self._model: str | None = None
        self._blocks = 0
        self._open: _Open | None = None
        self._orphans: set[str] = set()
        self._refused = 0
        self._released = 0

    def take(self, event: Event) -> Sequence[ToolCall] | None:
        value = event.value
        if value is None:
            return None if self._open else ()
        known(value, _KEYS)
        kind = text(value, "type")
        if not kind or event.name not in {None, kind}:
            raise Unreadable("expected events that say their type, the same in both places")
        if self._open and kind not in _INSIDE:
            raise Unreadable("expected a tool call to be complete before anything else comes")
        match kind:
            case "message_start":
                self._begin(record(value, "message"))
            case "content_block_start":
                self._start(value)
            case "content_block_delta":
                self._delta(value)
            case "content_block_stop" if self._open:
                return self._stop(at(value, "index"))
        return None if self._open else ()

    def release(self, kept: Sequence[Event], refusals: dict[int, str]) -> bytes:
        block, self._open = self._open, None
        if block is None:
            return b"".join(self._rewritten(event) for event in kept)
        if _is_call(block.block):
            told = refusals.get(0)
            self._refused += told is not None
            self._released += told is None
        else:
            told = _WITHHELD
        if told is None:
            return b"".join(event.raw for event in kept)
        self._orphans.add(text(block.block, "id"))
        pings = b"".join(event.raw for event in kept if _silent(event))
        return pings + _text_block(block.index, told)

    def error(self, reason: str, kind: str) -> bytes:
        return written({"type": "error", "error": {"type": kind, "message": reason}}, "error")

    def _begin(self, message: Json) -> None:
        if message.get("content"):
            raise Unreadable("expected a message to begin without content")
        self._model = text(message, "model") or None

    def _start(self, value: Json) -> None:
        index, block = at(value, "index"), record(value, "content_block")
        known(block, _BLOCK_KEYS)
        if index != self._blocks:
            raise Unreadable("expected blocks in order, each at its own place")
        if not text(block, "type"):
            raise Unreadable("expected a block to begin with what it is")
        self._blocks += 1
        if _is_call(block) or _is_result_of(block, self._orphans):
            self._open = _Open(index, block)

    def _delta(self, value: Json) -> None:
        index, delta = at(value, "index"), record(value, "delta")
        known(delta, _DELTA_KEYS)
        arguments = text(delta, "type") == "input_json_delta"
        block = self._open
        if index != self._blocks - 1 or arguments != (block is not None):
            raise Unreadable("expected pieces of a tool call in a tool call, and nowhere else")
        if block is not None:
            block.pieces.append(text(delta, "partial_json"))

    def _stop(self, index: int) -> Sequence[ToolCall]:
        block = self._open
        if block is None or index != block.index:
            raise Unreadable("expected one block after the other")
        return (_call(block.block, block.pieces, self._model),) if _is_call(block.block) else ()

    def _rewritten(self, event: Event) -> bytes:
        value = event.value
        if value is None or value.get("type") != "message_delta" or not self._refused or self._released:
            return event.raw
        delta = record(value, "delta")
        if delta.get("stop_reason") != "tool_use":
            return event.raw
        return written(value | {"delta": delta | {"stop_reason": "end_turn"}}, event.name)


def whole_calls(body: Json) -> list[ToolCall]:
    """The tool calls of a whole message, in order. Raises `Unreadable`."""
    known(body, _BLOCK_KEYS | {"stop_reason", "model"})
    model = text(body, "model") or None
    found = []
    for block in _blocks(body):
        known(block, _BLOCK_KEYS)
        if _is_call(block):
            found.append(_call(block, [], model))
    return found


def whole_rewritten(body: Json, refusals: dict[int, str]) -> Json:
    """The message with the calls at these places of `whole_calls` refused."""
    content: list[Any] = []
    orphans: set[str] = set()
    number = -1
    for block in _blocks(body):
        call = _is_call(block)
        number += call
        told = refusals.get(number) if call else _WITHHELD if _is_result_of(block, orphans) else None
        if told is not None:
            orphans.add(text(block, "id"))
        content.append(block if told is None else {"type": "text", "text": told})
    changed = body | {"content": content}
    if body.get("stop_reason") == "tool_use" and len(refusals) > number:
        changed["stop_reason"] = "end_turn"
    return changed


def _blocks(body: Json) -> list[Json]:
    return [] if isinstance(body.get("content"), str) else list(objects(body, "content"))


def _silent(event: Event) -> bool:
    return event.value is None or event.value.get("type") == "ping"


def _is_call(block: Json) -> bool:
    """Also what has a call's name or input under a type that we do not know: a client may."""
    return text(block, "type").endswith("tool_use") or "name" in block or "input" in block


def _is_result_of(block: Json, ids: set[str]) -> bool:
    return text(block, "type").endswith("tool_result") and text(block, "tool_use_id") in ids


def _call(block: Json, pieces: list[str], model: str | None) -> ToolCall:
    arguments, doubt = joined(pieces, block.get("input"))
    return ToolCall(text(block, "id"), text(block, "name"), arguments, model, doubt)


def _text_block(index: int, told: str) -> bytes:
    start = {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "text_delta", "text": told}
    return b"".join(
        (
            written(start, "content_block_start"),
            written({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta"),
            written({"type": "content_block_stop", "index": index}, "content_block_stop"),
        )
    )
