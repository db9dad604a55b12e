"""Reads MCP over HTTP, both revisions: JSON-RPC in a body, in a batch, or in server-sent events.

2025-11-25 has sessions (`Mcp-Session-Id`) and a GET that listens; 2026-07-28 is stateless and repeats
method and name in headers. Neither matters here: the body says what was called, headers fill in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tachograph.processors.enrichment.facts import Facts, RpcFailure
from tachograph.processors.enrichment.shapes import Json, array, dumps, load, objects, record, text
from tachograph.processors.enrichment.sse import parse_sse

__all__ = ["TOOL_CALL", "TOOL_USE_ID", "read_request", "read_response"]

TOOL_CALL = "tools/call"
TOOL_USE_ID = "claudecode/toolUseId"
"""Where the Claude Agent SDK repeats the model's tool-use id; undocumented, so best effort."""
_REVISION = "io.modelcontextprotocol/protocolVersion"
_RPC_INTEGER = range(-(2**31), 2**31)


def read_request(body: str, headers: Mapping[str, str]) -> Facts:
    """What the client calls: method, id, tool, arguments, and the tool-use id that asked for it."""
    if not body.strip():
        return Facts(
            rpc_method=text(headers.get("mcp-method")), revision=text(headers.get("mcp-protocol-version"))
        )
    messages = _messages(body)
    if not messages:
        return Facts(rpc_method=text(headers.get("mcp-method")), problem="expected JSON-RPC, it is none")
    call = next((m for m in messages if m.get("method") == TOOL_CALL), messages[0])
    params = record(call, "params")
    meta = record(params, "_meta")
    is_tool = call.get("method") == TOOL_CALL
    return Facts(
        rpc_method="batch" if len(messages) > 1 else text(call.get("method")),
        rpc_id=_id(call.get("id")),
        rpc_count=len(messages) if len(messages) > 1 else None,
        tool=text(params.get("name")) if is_tool else None,
        tool_use_id=text(meta.get(TOOL_USE_ID)),
        arguments=params.get("arguments") if is_tool else None,
        revision=text(headers.get("mcp-protocol-version"))
        or text(meta.get(_REVISION))
        or text(params.get("protocolVersion")),
    )


def read_response(body: str, *, sse: bool, rpc_id: str | None) -> Facts:
    """What the server answered to `rpc_id`; notifications and requests of its own are counted along."""
    if not body.strip():
        return Facts()
    messages = _streamed(body) if sse else _messages(body)
    if not messages:
        wanted = "events with JSON-RPC" if sse else "JSON-RPC"
        return Facts(problem=f"expected {wanted}, found none")
    answers = [message for message in messages if "result" in message or "error" in message]
    answer = next((a for a in answers if rpc_id is None or _id(a.get("id")) == rpc_id), None)
    found = _answer(answer if answer is not None else next(iter(answers), {}))
    missing = sse and rpc_id is not None and answer is None
    return Facts(
        stream=sse or None,
        rpc_count=len(messages) if len(messages) > 1 else None,
        rpc_id=found.rpc_id,
        rpc_error=found.rpc_error,
        is_error=found.is_error,
        response_text=found.response_text,
        revision=found.revision,
        problem="the stream ended before the answer" if missing else None,
    )


def _answer(message: Json) -> Facts:
    result = record(message, "result")
    error = record(message, "error")
    code = error.get("code")
    return Facts(
        rpc_id=_id(message.get("id")),
        rpc_error=RpcFailure(
            code if isinstance(code, int) and code in _RPC_INTEGER else None, text(error.get("message")) or ""
        )
        if error
        else None,
        is_error=True if result.get("isError") is True else None,
        response_text=text("\n".join(_texts(result))),
        revision=text(result.get("protocolVersion")),
    )


def _texts(result: Json) -> Iterable[str]:
    for block in objects(result.get("content")):
        if found := text(block.get("text")) or text(record(block, "resource").get("text")):
            yield found
    if structured := record(result, "structuredContent"):
        yield dumps(structured) or ""


def _streamed(body: str) -> list[Json]:
    return [message for event in parse_sse(body) for message in _messages(event.data)]


def _messages(body: str) -> list[Json]:
    value = load(body)
    items = [value] if isinstance(value, dict) else array(value)
    return [item for item in items if isinstance(item, dict) and _is_rpc(item)]


def _is_rpc(message: Json) -> bool:
    return message.get("jsonrpc") == "2.0" and not message.keys().isdisjoint({"method", "result", "error"})


def _id(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, int | str) and value != "" else None
