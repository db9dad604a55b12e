"""The few facts of a request's body that its response repeats: model, stream, JSON-RPC method, tool.

Bounded and without I/O; never raises. A body that cannot be read gives no facts, and nothing else depends
on it: the masker reads the whole body again, in its own time.
"""

from __future__ import annotations

import zlib
from typing import Any

import orjson

from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import RequestContext

__all__ = ["MAX_CONTEXT_BYTES", "NO_CONTEXT", "request_context"]

MAX_CONTEXT_BYTES = 1 << 20
"""Longer bodies, compressed or not, are not read."""
MAX_TEXT = 256
_TOOL_USE = "claudecode/toolUseId"
NO_CONTEXT = RequestContext()


def request_context(protocol: Protocol | None, body: bytes, *, content_encoding: str = "") -> RequestContext:
    """What the body of one `llm` or `mcp` request says; no facts for anything else."""
    if protocol not in {Protocol.LLM, Protocol.MCP} or not 0 < len(body) <= MAX_CONTEXT_BYTES:
        return NO_CONTEXT
    plain = _decoded(body, content_encoding.strip().lower())
    try:
        value = orjson.loads(plain) if plain else None
    except orjson.JSONDecodeError:
        return NO_CONTEXT
    return _llm(value) if protocol is Protocol.LLM else _mcp(value)


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        return b""
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(body, MAX_CONTEXT_BYTES)
    except zlib.error:
        return b""
    return plain if inflate.eof and not inflate.unused_data else b""


def _llm(value: Any) -> RequestContext:
    if not isinstance(value, dict):
        return NO_CONTEXT
    stream = value.get("stream")
    return RequestContext(
        model=_text(value.get("model")), stream=stream if isinstance(stream, bool) else None
    )


def _mcp(value: Any) -> RequestContext:
    call = _first_call(value)
    if call is None:
        return NO_CONTEXT
    params = call.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    method = _text(call.get("method"))
    return RequestContext(
        rpc_method=method,
        rpc_id=_identifier(call.get("id")),
        tool=_text(params.get("name")) if method == "tools/call" else None,
        tool_use_id=_text(meta.get(_TOOL_USE)) if isinstance(meta, dict) else None,
    )


def _first_call(value: Any) -> dict[str, Any] | None:
    """JSON-RPC 2.0, 6: a batch is an array of requests; its first request stands for it."""
    if isinstance(value, list):
        calls = [item for item in value if isinstance(item, dict) and "method" in item]
        return calls[0] if calls else None
    return value if isinstance(value, dict) and "method" in value else None


def _identifier(value: Any) -> str | None:
    """JSON-RPC 2.0, 4: an id is a string or a number; a boolean is neither."""
    if isinstance(value, bool):
        return None
    return _text(str(value) if isinstance(value, int | float) else value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None
