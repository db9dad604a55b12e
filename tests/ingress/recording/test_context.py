"""A table of bodies and the facts in them; and that no body whatever breaks the reader."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.recording.context import MAX_CONTEXT_BYTES, NO_CONTEXT, request_context
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import RequestContext

CALL = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "search", "arguments": {"q": "x"}, "_meta": {"claudecode/toolUseId": "toolu_1"}},
}
CALLED = RequestContext(rpc_method="tools/call", rpc_id="7", tool="search", tool_use_id="toolu_1")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "model": JSON,
        "stream": JSON,
        "method": JSON | st.just("tools/call"),
        "id": JSON,
        "params": JSON | st.fixed_dictionaries({}, optional={"name": JSON, "_meta": JSON}),
    },
)


LISTING = RequestContext(rpc_method="tools/list", rpc_id="a")
ODD_CALL = CALL | {"id": True, "params": {"name": 1, "_meta": []}}
PROMPT = CALLED.model_copy(update={"rpc_method": "prompts/get", "tool": None})
STREAMED = RequestContext(model="claude", stream=True)


@pytest.mark.parametrize(
    ("protocol", "value", "context"),
    [
        (Protocol.LLM, {"model": "claude", "stream": True, "messages": []}, STREAMED),
        (Protocol.LLM, {"model": "gpt"}, RequestContext(model="gpt")),
        (Protocol.LLM, {"model": 7, "stream": "yes"}, NO_CONTEXT),
        (Protocol.LLM, {"model": "x" * 300}, NO_CONTEXT),
        (Protocol.LLM, ["model"], NO_CONTEXT),
        (Protocol.MCP, CALL, CALLED),
        (Protocol.MCP, [{"jsonrpc": "2.0", "id": 1, "result": {}}, CALL, CALL | {"id": 8}], CALLED),
        (Protocol.MCP, {"method": "tools/list", "id": "a"}, LISTING),
        (Protocol.MCP, {"method": "notifications/x"}, RequestContext(rpc_method="notifications/x")),
        (Protocol.MCP, ODD_CALL, RequestContext(rpc_method="tools/call")),
        (Protocol.MCP, CALL | {"method": "prompts/get"}, PROMPT),
        (Protocol.MCP, {"id": 1, "result": {}}, NO_CONTEXT),
        (Protocol.MCP, [], NO_CONTEXT),
        (Protocol.HTTP, {"model": "claude"}, NO_CONTEXT),
        (None, {"model": "claude"}, NO_CONTEXT),
    ],
)
def test_the_facts_of_a_body(protocol: Protocol | None, value: Any, context: RequestContext) -> None:
    """Model and stream of an LLM call; method, id, tool and tool use of an MCP call; else nothing."""
    assert request_context(protocol, json.dumps(value).encode()) == context


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip "])
def test_a_gzip_body_is_read(encoding: str) -> None:
    """The one content coding that clients of these protocols use on requests."""
    body = gzip.compress(json.dumps(CALL).encode())
    assert request_context(Protocol.MCP, body, content_encoding=encoding) == CALLED


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff", ""),
        (b"[" * 10_000, ""),
        (b" " * MAX_CONTEXT_BYTES + b"{}", ""),
        (gzip.compress(b" " * MAX_CONTEXT_BYTES + b"{}"), "gzip"),
        (gzip.compress(b"{}")[:-4], "gzip"),
        (b"{}", "gzip"),
        (gzip.compress(b'{"model": "a"}') + b"more", "gzip"),
        (b'{"model": "a"}', "br"),
    ],
    ids=["empty", "cut", "not UTF-8", "deep", "long", "bomb", "cut gzip", "not gzip", "tail", "brotli"],
)
def test_what_cannot_be_read_has_no_facts(body: bytes, encoding: str) -> None:
    """Bounded and without complaint."""
    assert request_context(Protocol.LLM, body, content_encoding=encoding) == NO_CONTEXT


@given(st.sampled_from([Protocol.LLM, Protocol.MCP]), st.one_of(JSON, SHAPED, st.lists(SHAPED, max_size=3)))
def test_no_json_breaks_the_reader(protocol: Protocol, value: Any) -> None:
    """Whatever shape a body has, the answer is a context whose texts are short."""
    context = request_context(protocol, json.dumps(value).encode())
    texts = [text for text in context.model_dump().values() if isinstance(text, str)]
    assert all(len(text) <= 256 for text in texts)


@given(st.binary(max_size=200), st.sampled_from(["", "gzip", "deflate"]))
def test_no_bytes_break_the_reader(body: bytes, encoding: str) -> None:
    """Garbage has no facts."""
    assert isinstance(request_context(Protocol.MCP, body, content_encoding=encoding), RequestContext)
