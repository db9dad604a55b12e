"""MCP over HTTP in both revisions: calls, batches, notifications, streams, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tachograph.processors.enrichment.facts import Facts, RpcFailure
from tachograph.processors.enrichment.mcp import read_request, read_response


def rpc(method: str, number: int | str | None = 1, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        found["id"] = number
    return found | ({"params": params} if params else {})


def request(*messages: Any, **headers: str) -> Facts:
    body = messages[0] if len(messages) == 1 else list(messages)
    return read_request(json.dumps(body), {name.replace("_", "-"): value for name, value in headers.items()})


CALL = rpc(
    "tools/call", 7, name="read_file", arguments={"path": "/a"}, _meta={"claudecode/toolUseId": "toolu_1"}
)
RESULT = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "hello"}]}}
NOTE = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}


def answer(body: Any, *, sse: bool = False, rpc_id: str | None = "7") -> Facts:
    if sse:
        text = "".join(f"event: message\ndata: {json.dumps(message)}\n\n" for message in body)
    else:
        text = json.dumps(body)
    return read_response(text, sse=sse, rpc_id=rpc_id)


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_a_tool_call_in_both_revisions(revision: str) -> None:
    """Method, id, tool, arguments and the model's tool-use id stand in the body in both."""
    facts = request(CALL, mcp_protocol_version=revision, mcp_method="tools/call", mcp_name="read_file")
    assert (facts.rpc_method, facts.rpc_id, facts.tool, facts.tool_use_id) == (
        "tools/call",
        "7",
        "read_file",
        "toolu_1",
    )
    assert facts.arguments == {"path": "/a"}
    assert facts.revision == revision


@pytest.mark.parametrize(
    ("message", "revision"),
    [
        (rpc("initialize", protocolVersion="2025-11-25"), "2025-11-25"),
        (
            rpc("server/discover", _meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"}),
            "2026-07-28",
        ),
        (rpc("ping"), None),
    ],
)
def test_the_revision_is_found_where_each_says_it(message: dict[str, Any], revision: str | None) -> None:
    """Without the header: in initialize's parameters, or in the metadata of the stateless revision."""
    assert request(message).revision == revision


def test_a_listening_get_is_told_by_its_headers() -> None:
    """A request without a body has its method, if any, in a header."""
    assert read_request("", {}) == Facts()
    found = read_request(" ", {"mcp-method": "subscriptions/listen", "mcp-protocol-version": "2026-07-28"})
    assert (found.rpc_method, found.revision) == ("subscriptions/listen", "2026-07-28")


def test_a_notification_has_no_id() -> None:
    """It is told like a call, only without an id."""
    facts = request(rpc("notifications/initialized", None))
    assert (facts.rpc_method, facts.rpc_id) == ("notifications/initialized", None)


def test_a_batch_is_counted_and_its_tool_call_found() -> None:
    """The one tool call of a batch is what analysts look for."""
    facts = request(rpc("ping"), CALL, rpc("tools/list", 9))
    assert (facts.rpc_method, facts.rpc_count, facts.tool, facts.rpc_id) == ("batch", 3, "read_file", "7")


@pytest.mark.parametrize(
    "body", ["hello", "[]", "{}", '{"jsonrpc":"1.0","method":"x"}', '{"jsonrpc":"2.0"}', "7"]
)
def test_a_body_that_is_no_json_rpc_says_so(body: str) -> None:
    """The document keeps the text and the reason."""
    assert read_request(body, {}).problem == "expected JSON-RPC, it is none"
    assert read_response(body, sse=False, rpc_id=None).problem == "expected JSON-RPC, found none"


@pytest.mark.parametrize("sse", [False, True])
def test_an_answer_in_json_and_in_events(sse: bool) -> None:
    """The same answer is read from both."""
    facts = answer([RESULT] if sse else RESULT, sse=sse)
    assert (facts.rpc_id, facts.response_text, facts.is_error) == ("7", "hello", None)
    assert facts.problem is None


def test_notifications_around_an_answer_are_counted() -> None:
    """The answer is found by its id among progress and requests of the server."""
    facts = answer([NOTE, rpc("sampling/createMessage", 7), RESULT, NOTE], sse=True)
    assert (facts.rpc_count, facts.response_text) == (4, "hello")


def test_the_answer_to_this_request_is_chosen() -> None:
    """Of several answers the one with the request's id counts."""
    other = RESULT | {"id": 8, "result": {"content": [{"type": "text", "text": "other"}]}}
    assert answer([other, RESULT]).response_text == "hello"
    assert answer([other, RESULT], rpc_id=None).response_text == "other"


def test_a_stream_without_the_answer_says_so() -> None:
    """Progress came, the answer did not."""
    assert answer([NOTE], sse=True).problem == "the stream ended before the answer"
    assert answer([NOTE], sse=True, rpc_id=None).problem is None


def test_an_error_answer() -> None:
    """Code and message of the JSON-RPC error."""
    error = {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "bad argument"}}
    assert answer(error).rpc_error == RpcFailure(-32602, "bad argument")


@pytest.mark.parametrize("code", ["x", None, 2**40, 1.5])
def test_an_error_code_that_is_none_is_left_out(code: Any) -> None:
    """The message stays."""
    error = {"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": "m"}}
    assert answer(error).rpc_error == RpcFailure(None, "m")


def test_a_tool_that_failed_is_no_rpc_error() -> None:
    """`isError` is the tool's own failure; its text is the result."""
    failed = RESULT | {"result": {"isError": True, "content": [{"type": "text", "text": "no such file"}]}}
    facts = answer(failed)
    assert (facts.is_error, facts.rpc_error, facts.response_text) == (True, None, "no such file")


def test_resources_and_structured_content_are_text_too() -> None:
    """What a tool gave back in other shapes is searchable."""
    blocks = [{"type": "resource", "resource": {"text": "inside"}}, {"type": "image", "data": "AAAA"}]
    rich = RESULT | {"result": {"content": blocks, "structuredContent": {"n": 1}}}
    assert answer(rich).response_text == 'inside\n{"n":1}'


def test_an_empty_answer_is_no_problem() -> None:
    """202 Accepted to a notification has no body."""
    assert read_response("", sse=False, rpc_id=None) == Facts()


@pytest.mark.parametrize(("value", "text"), [(7, "7"), ("a", "a"), (True, None), ("", None), (1.5, None)])
def test_ids_are_numbers_or_text(value: Any, text: str | None) -> None:
    """JSON-RPC ids of other types are none."""
    assert request(rpc("ping", value)).rpc_id == text
