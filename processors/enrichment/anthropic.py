"""Reads Anthropic's Messages API: requests, answers, streams and errors, all of it already masked.

A stream is `message_start`, then for each block `content_block_start`, deltas and `content_block_stop`,
then `message_delta` and `message_stop`; `ping` may come anywhere and `error` instead of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tachograph.processors.enrichment.conversation import taken_apart
from tachograph.processors.enrichment.facts import Facts, ToolUse, Turn, Usage
from tachograph.processors.enrichment.shapes import (
    Json,
    array,
    count,
    dumps,
    kind,
    load,
    objects,
    record,
    text,
)
from tachograph.processors.enrichment.sse import ServerSentEvent

__all__ = ["PROVIDER", "read_request", "read_response", "read_stream"]

PROVIDER = "anthropic"
_TOOL_USES = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_DELTAS = {"text_delta": "text", "input_json_delta": "partial_json"}
"""Where a delta carries its piece."""


def read_request(body: Json) -> Facts:
    """Model, whether it streams, and the messages, taken out of the rest."""
    apart = taken_apart(body, "messages", array(body.get("messages")), _turn)
    return Facts(
        provider=PROVIDER,
        model=text(body.get("model")),
        stream=body.get("stream") is True,
        turns=apart.turns,
        rest=apart.rest,
        problem=apart.problem,
    )


def read_response(body: Json) -> Facts:
    """A `message`, an `error`, or the bare counts of `count_tokens`."""
    error = record(body, "error")
    tools = tuple(_tool_use(block) for block in objects(body.get("content")) if kind(block) in _TOOL_USES)
    return Facts(
        provider=PROVIDER,
        model=text(body.get("model")),
        response_text=text("\n".join(_texts(body.get("content")))),
        tool_calls=tools,
        usage=_usage(record(body, "usage") or body),
        stop_reason=text(body.get("stop_reason")),
        error_type=text(error.get("type")),
        error_message=text(error.get("message")),
    )


def read_stream(events: Iterable[ServerSentEvent]) -> Facts:
    """Put a stream together; one that was cut short gives what came, and says that it was cut."""
    stream = _Stream()
    for event in events:
        stream.take(record(load(event.data)))
    return stream.facts()


@dataclass(slots=True)
class _Block:
    kind: str
    id: str = ""
    name: str = ""
    input: Any = None
    pieces: list[str] = field(default_factory=list)

    def tool_use(self) -> ToolUse:
        joined = "".join(self.pieces)
        if not joined:
            return ToolUse(self.id, self.name, dumps(self.input) or "", self.input)
        return ToolUse(self.id, self.name, joined, load(joined))


@dataclass(slots=True)
class _Stream:
    model: str | None = None
    usage: Json = field(default_factory=dict)
    stop_reason: str | None = None
    error: Json = field(default_factory=dict)
    blocks: dict[int, _Block] = field(default_factory=dict)
    stopped: bool = False

    def take(self, event: Json) -> None:
        match kind(event):
            case "message_start":
                message = record(event, "message")
                self.model = text(message.get("model"))
                self._count(record(message, "usage"))
            case "content_block_start":
                self._open(event)
            case "content_block_delta":
                self._add(event)
            case "message_delta":
                self.stop_reason = text(record(event, "delta").get("stop_reason")) or self.stop_reason
                self._count(record(event, "usage"))
            case "message_stop":
                self.stopped = True
            case "error":
                self.error = record(event, "error")

    def facts(self) -> Facts:
        blocks = [self.blocks[index] for index in sorted(self.blocks)]
        cut = not (self.stopped or self.error)
        return Facts(
            provider=PROVIDER,
            model=self.model,
            stream=True,
            response_text=text("\n".join("".join(b.pieces) for b in blocks if b.kind == "text" and b.pieces)),
            tool_calls=tuple(block.tool_use() for block in blocks if block.kind in _TOOL_USES),
            usage=_usage(self.usage),
            stop_reason=self.stop_reason,
            error_type=text(self.error.get("type")),
            error_message=text(self.error.get("message")),
            problem="the stream ended before message_stop" if cut else None,
        )

    def _count(self, usage: Json) -> None:
        # message_delta repeats cumulative counts; null there means "as before".
        self.usage |= {key: value for key, value in usage.items() if value is not None}

    def _open(self, event: Json) -> None:
        index = count(event.get("index"))
        if index is None:
            return
        block = record(event, "content_block")
        opened = _Block(
            kind(block),
            text(block.get("id")) or "",
            text(block.get("name")) or "",
            block.get("input"),
        )
        if start := text(block.get("text")):
            opened.pieces.append(start)
        self.blocks[index] = opened

    def _add(self, event: Json) -> None:
        index = count(event.get("index"))
        block = self.blocks.get(-1 if index is None else index)
        delta = record(event, "delta")
        wanted = _DELTAS.get(kind(delta))
        piece = text(delta.get(wanted)) if wanted else None
        if block and piece:
            block.pieces.append(piece)


def _turn(message: Any) -> Turn | None:
    # What is no message at all is read like one without a role: equal canonical JSON, equal document.
    body = message if isinstance(message, dict) else {"content": message}
    blocks = _blocks(body.get("content"))
    normal = body | {"content": blocks}
    canonical = dumps(normal)
    if canonical is None:
        return None
    return Turn(
        role=text(body.get("role")) or "unknown",
        canonical=canonical.encode(),
        text="\n".join(_texts(blocks)),
        tool_calls=tuple(_tool_use(block) for block in objects(blocks) if kind(block) in _TOOL_USES),
        tool_results=tuple(_results(blocks)),
    )


def _blocks(content: Any) -> Any:
    # A client turns "text" into [{type: text}] as soon as it marks the block for the cache.
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_unmarked(block) for block in content] if isinstance(content, list) else content


def _unmarked(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    inner = block.get("content")
    if isinstance(inner, list):  # a tool's result, whose own blocks may be marked
        block = block | {"content": [_without_mark(item) for item in inner]}
    return _without_mark(block)


def _without_mark(block: Any) -> Any:
    if not isinstance(block, dict) or "cache_control" not in block:
        return block
    return {key: value for key, value in block.items() if key != "cache_control"}


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in objects(content):
        if kind(block) == "text" and (found := text(block.get("text"))):
            yield found
        elif kind(block) == "tool_result":
            inner = block.get("content")
            yield from (
                [inner]
                if isinstance(inner, str)
                else filter(None, (text(item.get("text")) for item in objects(inner)))
            )


def _results(blocks: Any) -> Iterator[str]:
    for block in objects(blocks):
        if kind(block) == "tool_result" and (found := text(block.get("tool_use_id"))):
            yield found


def _tool_use(block: Json) -> ToolUse:
    arguments = block.get("input")
    return ToolUse(
        text(block.get("id")) or "", text(block.get("name")) or "", dumps(arguments) or "", arguments
    )


def _usage(usage: Json) -> Usage | None:
    found = Usage(
        input=count(usage.get("input_tokens")),
        output=count(usage.get("output_tokens")),
        cache_read=count(usage.get("cache_read_input_tokens")),
        cache_write=count(usage.get("cache_creation_input_tokens")),
        cache_write_1h=count(record(usage, "cache_creation").get("ephemeral_1h_input_tokens")),
        standard=usage.get("service_tier") in (None, "standard")
        and usage.get("speed") in (None, "standard")
        and usage.get("inference_geo") in (None, "global", "not_available"),
    )
    return None if found.input is None and found.output is None else found
