"""One answer as the server-sent events of the Messages API, in the order that its streaming guide gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tachograph.examples.model_server.conversation import Answer, pieces


def message(answer: Answer) -> dict[str, Any]:
    """The answer as one JSON object, as a request without `stream` gets it."""
    return _opened(answer) | {
        "content": list(answer.content),
        "stop_reason": answer.stop_reason,
        "usage": _usage(answer) | {"output_tokens": answer.output_tokens},
    }


def events(answer: Answer) -> Iterator[bytes]:
    """message_start, then each block in pieces, then message_delta and message_stop; a ping early on."""
    yield _event("message_start", {"message": _opened(answer)})
    for index, block in enumerate(answer.content):
        yield from _block(index, block)
        if index == 0:
            yield _event("ping", {})
    delta = {"stop_reason": answer.stop_reason, "stop_sequence": None}
    yield _event("message_delta", {"delta": delta, "usage": {"output_tokens": answer.output_tokens}})
    yield _event("message_stop", {})


def _block(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    if block["type"] == "text":
        empty, kind, field, text = {"type": "text", "text": ""}, "text_delta", "text", block["text"]
    else:
        empty = block | {"input": {}}
        kind, field, text = "input_json_delta", "partial_json", json.dumps(block["input"])
    yield _event("content_block_start", {"index": index, "content_block": empty})
    for piece in pieces(text):
        yield _event("content_block_delta", {"index": index, "delta": {"type": kind, field: piece}})
    yield _event("content_block_stop", {"index": index})


def _opened(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(answer),
    }


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
