"""From a masked record to facts: picks the parser, and keeps any trouble with the content inside.

A parser meets whatever an agent or a target cares to send. What it cannot read stays searchable as text,
and the document says what was expected.
"""

from __future__ import annotations

from dataclasses import replace

from tachograph.processors.enrichment import llm, mcp
from tachograph.processors.enrichment.facts import NO_FACTS, Facts
from tachograph.processors.enrichment.shapes import decode
from tachograph.processors.record import MaskedRecord
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import HeaderField, RequestContext, RequestMeta, ResponseMeta

__all__ = ["path_of", "read"]

_READ = frozenset({Protocol.LLM, Protocol.MCP})
_NOTED = ("model", "stream", "rpc_method", "rpc_id", "tool", "tool_use_id")
_SSE = "text/event-stream"


def read(record: MaskedRecord) -> Facts:
    """All that the record's body says. Never raises for any content."""
    try:
        return _read(record)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        return Facts(problem=f"the content could not be read ({type(error).__name__})")


def path_of(target: str) -> str:
    """The path of a request target: without query and fragment, and without the origin of a proxy request."""
    path = target.partition("?")[0].partition("#")[0]
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path


def _read(record: MaskedRecord) -> Facts:
    if record.header.protocol not in _READ:
        return NO_FACTS
    body = "" if record.body is None else decode(record.body)
    match record.header.protocol, record.meta:
        case Protocol.LLM, RequestMeta() as meta:
            found, context = llm.read_request(path_of(meta.line.target), body), meta.context
        case Protocol.MCP, RequestMeta() as meta:
            headers = {name.lower(): value for name, value in meta.headers}
            found, context = mcp.read_request(body, headers), meta.context
        case Protocol.LLM, ResponseMeta() as meta:
            path, context = path_of(meta.request.target), meta.context
            found = llm.read_response(path, body, sse=_is_sse(meta))
        case Protocol.MCP, ResponseMeta() as meta:
            context = meta.context
            found = mcp.read_response(body, sse=_is_sse(meta), rpc_id=context.rpc_id)
        case _:
            return NO_FACTS
    return _with_context(found, context)


def _with_context(facts: Facts, context: RequestContext) -> Facts:
    # The body's own word comes first. Where it is withheld or silent, what the gateway noted fills in.
    noted = {
        name: value
        for name in _NOTED
        if (value := getattr(context, name)) is not None and getattr(facts, name) in (None, "")
    }
    return replace(facts, **noted) if noted else facts


def _is_sse(meta: ResponseMeta) -> bool:
    return _value(meta.headers, "content-type").partition(";")[0].strip().lower() == _SSE


def _value(headers: tuple[HeaderField, ...], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")
