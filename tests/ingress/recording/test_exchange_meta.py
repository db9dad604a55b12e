"""What is written without models is what the models would write, byte for byte."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.recording.exchange_meta import (
    Fields,
    RequestHead,
    ResponseHead,
    body_totals,
    chunk_meta,
    context_fields,
    request_line,
    request_meta,
    response_meta,
    timing,
)
from tachograph.schemas.payload import (
    BodyTotals,
    ChunkMeta,
    ExchangeError,
    PolicyDecision,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    Timing,
)

wire = st.binary(max_size=12).map(lambda data: data.decode("latin-1"))
"""Whatever bytes came, read as ISO 8859-1."""
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
headers = st.lists(st.tuples(wire, wire), max_size=4).map(tuple)
numbers = st.integers(0, 2**53)
lines = st.builds(RequestLine, method=wire, target=wire, upstream=text)
totals = st.builds(BodyTotals, length=numbers, sha256=text, chunks=numbers, complete=st.booleans())
contexts = st.builds(
    RequestContext,
    model=st.none() | text,
    stream=st.none() | st.booleans(),
    rpc_method=st.none() | text,
    rpc_id=st.none() | text,
    tool=st.none() | text,
    tool_use_id=st.none() | text,
)
times = st.builds(
    Timing, start=numbers, request_end=st.none() | numbers, first_byte=st.none() | numbers, end=numbers
)
errors = st.none() | st.builds(ExchangeError, code=st.just("client-gone"), detail=text)

decisions = st.builds(
    PolicyDecision,
    effect=st.sampled_from(["allow", "deny", "approval"]),
    policies=st.lists(text, max_size=3).map(tuple),
    reason=text,
    digest=text,
    inputs=text,
    micros=numbers,
    groups=st.lists(text, max_size=3).map(tuple),
)


def written(model: Any) -> bytes:
    return bytes(model.model_dump_json(exclude_none=True), "utf-8")


def line_fields(line: RequestLine) -> Fields:
    return request_line(line.method, line.target, line.upstream)


def total_fields(body: BodyTotals) -> Fields:
    return body_totals(body.length, body.sha256, chunks=body.chunks, complete=body.complete)


@given(
    st.builds(
        RequestMeta,
        line=lines,
        http_version=wire,
        headers=headers,
        client=text,
        context=contexts,
        body=totals,
        credential=st.none() | text,
        decision=st.none() | decisions,
        injected=st.none() | st.tuples(text) | st.tuples(text, text),
    )
)
def test_a_request_is_written_as_its_model_would(meta: RequestMeta) -> None:
    """Whatever a request's meta holds, both ways give the same bytes."""
    head = RequestHead(meta.line.method, meta.line.target, meta.http_version, meta.headers, meta.client)
    assert written(meta) == request_meta(
        head,
        line=line_fields(meta.line),
        context=context_fields(meta.context),
        body=total_fields(meta.body),
        credential=meta.credential,
        decision=meta.decision,
        injected=meta.injected or (),
    )


@given(
    st.builds(
        ResponseMeta,
        status=numbers,
        reason=wire,
        http_version=wire,
        headers=headers,
        trailers=headers,
        origin=st.sampled_from(["upstream", "gateway", "none"]),
        request=lines,
        client=text,
        context=contexts,
        body=totals,
        timing=times,
        error=errors,
    )
)
def test_a_response_is_written_as_its_model_would(meta: ResponseMeta) -> None:
    """Whatever a response's meta holds, both ways give the same bytes."""
    clock = meta.timing
    assert written(meta) == response_meta(
        ResponseHead(meta.status, meta.reason, meta.http_version, meta.headers, meta.origin),
        trailers=meta.trailers,
        repeated={
            "request": line_fields(meta.request),
            "client": meta.client,
            "context": context_fields(meta.context),
        },
        body=total_fields(meta.body),
        timing=timing(
            start=clock.start, request_end=clock.request_end, first_byte=clock.first_byte, end=clock.end
        ),
        error=meta.error,
    )


@given(
    st.builds(
        ChunkMeta,
        index=numbers,
        offset=numbers,
        sha256=text,
        content_type=st.none() | wire,
        content_encoding=st.none() | wire,
    )
)
def test_a_chunk_is_written_as_its_model_would(meta: ChunkMeta) -> None:
    """Whatever a chunk's meta holds, both ways give the same bytes."""
    kind = meta.content_type, meta.content_encoding
    assert written(meta) == chunk_meta(index=meta.index, offset=meta.offset, sha256=meta.sha256, kind=kind)
