"""What it costs to look for tool calls in a model's answer: a streamed event, and a judged call.

`python bench/access_tools.py` prints JSON. Microseconds of one core; the lowest of several runs, since what
else the machine does only adds to them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import orjson

from tachograph.ingress.llm.anthropic import Messages
from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.openai_chat import ChatCompletions
from tachograph.ingress.llm.stream import Dialect, StreamFilter

__all__ = ["tools"]

EVENTS = 5_000
RUNS = 5
_TEXT = "a word or two "


def tools() -> dict[str, float]:
    """`llm_event_us` of Anthropic's text, `llm_event_openai_us` of OpenAI's, `llm_call_us` of a call."""
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": _TEXT}, "finish_reason": None}],
    }
    return {
        "llm_event_us": _each(Messages, _named(block), _named(delta), EVENTS),
        "llm_event_openai_us": _each(ChatCompletions, b"", b"data: " + orjson.dumps(chunk) + b"\n\n", EVENTS),
        "llm_call_us": _calls(EVENTS // 50),
    }


def _each(dialect: Callable[[], Dialect], first: bytes, event: bytes, count: int) -> float:
    return min(_run(dialect, [first, *[event] * count]) for _ in range(RUNS)) / count * 1e6


def _calls(count: int) -> float:
    events = []
    for index in range(count):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": "ls", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": '{"path": "/srv"}'}
        events.append(_named({"type": "content_block_start", "index": index, "content_block": block}))
        events.append(_named({"type": "content_block_delta", "index": index, "delta": delta}))
        events.append(_named({"type": "content_block_stop", "index": index}))
    return min(_run(Messages, events) for _ in range(RUNS)) / count * 1e6


def _run(dialect: Callable[[], Dialect], events: list[bytes]) -> float:
    made = StreamFilter(dialect())
    begun = time.perf_counter()
    for event in events:
        made.feed(event, end=False)
        while (item := made.next()) is not None:
            if isinstance(item, ToolCall):
                made.answer(None)
    took = time.perf_counter() - begun
    if made.broken is not None:
        raise RuntimeError(made.broken)
    return took


def _named(value: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(value["type"]).encode(), orjson.dumps(value))


if __name__ == "__main__":
    print(json.dumps(tools()))
