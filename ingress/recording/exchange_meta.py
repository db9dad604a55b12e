"""The metas of an exchange as JSON, written without models: every value comes from a typed source.

`RequestMeta`, `ResponseMeta` and `ChunkMeta` say what is in them. That these functions write the same bytes
as those models is what the tests hold them to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from tachograph.schemas.payload import ExchangeError, HeaderField, PolicyDecision, RequestContext

__all__ = [
    "NO_ANSWER",
    "Fields",
    "RequestHead",
    "ResponseHead",
    "body_totals",
    "chunk_meta",
    "context_fields",
    "request_line",
    "request_meta",
    "response_meta",
    "timing",
]

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What the agent sent, gateway credential values already replaced by "[gateway-credential]"."""

    method: str
    target: str
    """As sent minus the "/c/<connection>" prefix, byte-exact (ISO 8859-1)."""
    http_version: str
    headers: tuple[HeaderField, ...]
    client: str
    """`ip:port`"""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of the answer, and who gave it."""

    status: int
    reason: str
    http_version: str
    headers: tuple[HeaderField, ...]
    origin: Literal["upstream", "gateway", "none"]


NO_ANSWER = ResponseHead(0, "", "", (), "none")


def request_line(method: str, target: str, upstream: str) -> Fields:
    """`RequestLine`"""
    return {"method": method, "target": target, "upstream": upstream}


def context_fields(context: RequestContext) -> Fields:
    """`RequestContext`"""
    return context.model_dump(exclude_none=True)


def body_totals(length: int, sha256: str, *, chunks: int, complete: bool) -> Fields:
    """`BodyTotals`"""
    return {"length": length, "sha256": sha256, "chunks": chunks, "complete": complete}


def timing(*, start: int, request_end: int | None, first_byte: int | None, end: int) -> Fields:
    """`Timing`"""
    return _present({"start": start, "request_end": request_end, "first_byte": first_byte, "end": end})


def chunk_meta(*, index: int, offset: int, sha256: str, kind: tuple[str | None, str | None]) -> bytes:
    """`ChunkMeta`; `kind` is the content's type and encoding."""
    fields: Fields = {
        "kind": "chunk",
        "index": index,
        "offset": offset,
        "sha256": sha256,
        "content_type": kind[0],
        "content_encoding": kind[1],
    }
    return orjson.dumps(_present(fields))


def request_meta(  # noqa: PLR0913  one for each field of the record
    head: RequestHead,
    *,
    line: Fields,
    context: Fields,
    body: Fields,
    credential: str | None,
    decision: PolicyDecision | None = None,
    injected: tuple[str, ...] = (),
) -> bytes:
    """`RequestMeta`"""
    fields: Fields = {
        "kind": "request",
        "line": line,
        "http_version": head.http_version,
        "headers": head.headers,
        "client": head.client,
        "context": context,
        "body": body,
    }
    if credential is not None:
        fields["credential"] = credential
    if decision is not None:
        fields["decision"] = decision.model_dump()
    if injected:
        fields["injected"] = injected
    return orjson.dumps(fields)


def response_meta(
    head: ResponseHead,
    *,
    trailers: tuple[HeaderField, ...],
    repeated: Fields,
    body: Fields,
    timing: Fields,
    error: ExchangeError | None,
) -> bytes:
    """`ResponseMeta`; `repeated` is what it has from its request: `request`, `client` and `context`."""
    fields: Fields = {
        "kind": "response",
        "status": head.status,
        "reason": head.reason,
        "http_version": head.http_version,
        "headers": head.headers,
        "trailers": trailers,
        "origin": head.origin,
        **repeated,
        "body": body,
        "timing": timing,
    }
    if error is not None:
        fields["error"] = error.model_dump()
    return orjson.dumps(fields)


def _present(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
