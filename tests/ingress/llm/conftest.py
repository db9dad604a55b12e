"""Answers of models as they stream, and a reader that cuts them anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.sse import Event, read


def named(*values: dict[str, Any]) -> bytes:
    """Events that repeat their type as their name."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (v["type"].encode(), json.dumps(v).encode()) for v in values)


def nameless(*values: dict[str, Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(v).encode() for v in values) + b"data: [DONE]\n\n"


def block(index: int, name: str, arguments: str, kind: str = "tool_use") -> list[dict[str, Any]]:
    """A tool call of Anthropic's, streamed in pieces of seven characters."""
    start = {"type": kind, "id": f"toolu_{index}", "name": name, "input": {}}
    pieces = [arguments[at : at + 7] for at in range(0, len(arguments), 7)]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": p},
            }
            for p in pieces
        ),
        {"type": "content_block_stop", "index": index},
    ]


def said(index: int, text: str) -> list[dict[str, Any]]:
    """A block of text of Anthropic's."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": index},
    ]


def message(*blocks: list[dict[str, Any]], reason: str = "tool_use") -> bytes:
    """A whole stream of Anthropic's."""
    return named(
        {"type": "message_start", "message": {"id": "msg_1", "model": "m-1", "content": []}},
        {"type": "ping"},
        *(event for block in blocks for event in block),
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    )


def values(data: bytes) -> list[Any]:
    """The values of a stream's events."""
    found, rest = [], data
    while rest:
        raw, _, rest = rest.partition(b"\n\n")
        event: Event = read(raw, raw)
        if event.value is not None:
            found.append(event.value)
    return found


def run(
    made: Any, data: bytes, verdict: Callable[[ToolCall], str | None], cuts: Sequence[int] = ()
) -> tuple[bytes, list[ToolCall]]:
    """What goes on of an answer that comes in these pieces, and what was asked."""
    out, asked = [], []
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, stop in itertools.pairwise(places):
        made.feed(data[start:stop], end=stop == len(data))
        while (item := made.next()) is not None:
            if isinstance(item, ToolCall):
                asked.append(item)
                made.answer(verdict(item))
            else:
                out.append(item)
    return b"".join(out), asked


class Kit:
    """What the tests of this room share."""

    named = staticmethod(named)
    nameless = staticmethod(nameless)
    block = staticmethod(block)
    said = staticmethod(said)
    message = staticmethod(message)
    values = staticmethod(values)
    run = staticmethod(run)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit
