"""The right parser for a record, and no trouble with content outside of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment import llm
from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.reading import path_of, read
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import RequestContext

RPC = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}]}}'


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b?c=/d", "/a/b"),
        ("/a#f?x", "/a"),
        ("*", "*"),
        ("", ""),
        ("http://h/p/q?x", "/p/q"),
        ("http://h", "/"),
        ("/redirect?to=http://h/p", "/redirect"),
    ],
)
def test_the_path_of_a_target(target: str, path: str) -> None:
    """Without query, fragment and the origin of a proxy request."""
    assert path_of(target) == path


def test_http_bodies_are_nobody_s_business(records: Any) -> None:
    """A plain HTTP exchange stays text, JSON or not."""
    assert read(records.request(Protocol.HTTP, "/v1/messages", {"model": "m"})) == Facts()
    assert read(records.response(None, "/mcp", RPC)) == Facts()


@pytest.mark.parametrize("content_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
def test_events_are_known_by_their_type(records: Any, content_type: str) -> None:
    """Whatever its case and parameters."""
    record = records.response(Protocol.MCP, "/mcp", f"data: {RPC}\n\n", content_type=content_type)
    assert read(record).response_text == "x"


def test_a_type_that_lies_says_so(records: Any) -> None:
    """Events under a JSON type, and JSON under an events type, are kept as text with a reason."""
    lies = records.response(Protocol.MCP, "/mcp", f"data: {RPC}\n\n", content_type="application/json")
    assert read(lies).problem == "expected JSON-RPC, found none"
    lies = records.response(Protocol.MCP, "/mcp", RPC, content_type="text/event-stream")
    assert read(lies).problem == "expected events with JSON-RPC, found none"


def test_the_request_fills_in_what_the_answer_leaves_out(records: Any) -> None:
    """Model, tool, ids from the request's context; the answer's own word comes first."""
    context = RequestContext(
        model="asked", stream=True, rpc_method="tools/call", rpc_id="1", tool="t", tool_use_id="u"
    )
    facts = read(records.response(Protocol.MCP, "/mcp", RPC, context=context))
    assert (facts.rpc_method, facts.tool, facts.tool_use_id, facts.stream) == ("tools/call", "t", "u", True)
    facts = read(records.response(Protocol.LLM, "/v1/messages", {"model": "answered"}, context=context))
    assert facts.model == "answered"
    facts = read(records.response(Protocol.LLM, "/v1/messages", b"", context=context))
    assert facts.model == "asked"


def test_a_withheld_request_is_still_told(records: Any) -> None:
    """The gateway noted model and tool before masking refused the body."""
    noted = {"masked_body": None, "withheld": "timeout"}
    call = RequestContext(rpc_method="tools/call", rpc_id="1", tool="t", tool_use_id="u")
    facts = read(records.request(Protocol.MCP, "/mcp", b"x", context=call, **noted))
    assert (facts.rpc_method, facts.rpc_id, facts.tool, facts.tool_use_id) == ("tools/call", "1", "t", "u")
    asked = RequestContext(model="m", stream=True)
    facts = read(records.request(Protocol.LLM, "/v1/messages", b"x", context=asked, **noted))
    assert (facts.model, facts.stream, facts.problem) == ("m", True, None)


def test_a_parser_that_raises_is_contained(records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error becomes a problem that names the kind and no content."""

    def explode(*_: object) -> Facts:
        raise RecursionError("secret")

    monkeypatch.setattr(llm, "read_request", explode)
    problem = read(records.request(Protocol.LLM, "/v1/messages", b"{}")).problem
    assert problem == "the content could not be read (RecursionError)"


@given(st.binary(), st.sampled_from(Protocol), st.sampled_from(["/v1/messages", "/v1/responses", "/mcp"]))
def test_any_bytes_are_read(records: Any, body: bytes, protocol: Protocol, target: str) -> None:
    """Whatever is in a body, reading it gives facts."""
    assert isinstance(read(records.request(protocol, target, body)), Facts)
    for kind in ("application/json", "text/event-stream"):
        assert isinstance(read(records.response(protocol, target, body, content_type=kind)), Facts)
