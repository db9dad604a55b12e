"""What a request asks for has one reading, or is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.admission import Asked
from tachograph.ingress.policy.calls import MAX_ARGUMENTS, MAX_BATCH, MAX_OFFERED, Action, Call, calls, heads
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.upstream.target import parse_target
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind

Make = Callable[..., Any]
_FILES = Asked(
    exchange=UUID(int=1),
    session=UUID(int=2),
    connection=Connection(name="files", protocol="mcp", upstream="http://files.internal"),
    principal=Principal(id="nightly", kind=PrincipalKind.API_KEY),
    groups=frozenset(),
    actors=(),
    method="POST",
    target="/",
    headers=(),
    client="10.0.0.1:1",
    started_ns=0,
    body=b"",
)


def read(asked: Any) -> tuple[Call, ...]:
    return calls(asked, parse_target(asked.connection.upstream))


def test_http_is_its_request_line(asked: Make) -> None:
    """The path is the one that the target sees: behind the connection's own prefix."""
    (call,) = read(asked("wiki", "DELETE", "/pages/7?force=1"))
    assert (call.action, call.view.path, call.host) == (Action.HTTP_REQUEST, "/api/pages/7", "wiki.internal")
    assert call.view.query == ("force",)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("X-HTTP-Method-Override", "x-http-method-override"),
        ("x-method-override", "x-method-override"),
        ("X-Original-URL", "x-original-url"),
        ("X-Rewrite-URL", "x-rewrite-url"),
    ],
)
def test_overriding_headers_are_refused(asked: Make, name: str, says: str) -> None:
    """A target that obeys them would do what nobody judged."""
    with pytest.raises(Unclear, match=says):
        read(asked(headers=((name, "DELETE"),)))


@pytest.mark.parametrize(
    "name", ["X_HTTP_Method_Override", "x-original_url", "Content_Encoding", "Mcp_Name", "Transfer_Encoding"]
)
def test_a_name_with_underscores_is_refused(asked: Make, name: str) -> None:
    """CGI and WSGI targets read it as the one with dashes; any other name with underscores passes."""
    with pytest.raises(Unclear, match="dashes"):
        read(asked(headers=((name, "DELETE"),)))
    assert read(asked(headers=(("x_trace_id", "7"), ("x-dashed", "7"))))


@pytest.mark.parametrize("named", ["x-dry-run", "close, X-Dry-Run", "X-Dry-Run,keep-alive"])
def test_connection_names_no_field_that_was_judged(named: str) -> None:
    """It would be taken out behind the decision, and behind what reviewers were shown."""
    with pytest.raises(Unclear, match="Connection"):
        heads((("X-Dry-Run", "yes"), ("Connection", named)))
    heads((("Connection", named),))


def test_connection_may_name_what_is_of_the_hop() -> None:
    """What clients do every day."""
    heads((("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAM")))
    heads((("Connection", "TE, close"), ("TE", "trailers")))
    heads((("connection", "keep-alive"), ("Keep-Alive", "timeout=5")))


@pytest.mark.parametrize("name", ["content-type", "mcp-method"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    """Which of the two would the target read?"""
    with pytest.raises(Unclear, match=name):
        heads(((name, "a"), (name.title(), "a")))


def test_the_media_type_is_plain() -> None:
    """Policies compare it in lower case and without parameters."""
    found = heads((("Content-Type", ' Application/JSON ; Charset="UTF-8"'), ("Host", "x")))
    assert (found.content_type, found.charset) == ("application/json", "utf-8")
    assert heads(()).content_type is None


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/v1/messages", Action.LLM_MESSAGE),
        ("/v1/messages?beta=true", Action.LLM_MESSAGE),
        ("/V1/Messages/", Action.LLM_MESSAGE),
        ("/v1/chat/completions", Action.LLM_MESSAGE),
        ("/v1/responses", Action.LLM_MESSAGE),
        ("/v1/files", Action.HTTP_REQUEST),
        ("/v1/messages/batches/b1/cancel", Action.HTTP_REQUEST),
    ],
)
def test_which_calls_are_messages(asked: Make, path: str, action: Action) -> None:
    """Any other call to a model's API is a plain request."""
    assert read(asked("model", "POST", path, body={"model": "m"}))[0].action is action
    assert read(asked("model", "GET", path))[0].action is Action.HTTP_REQUEST


def test_what_a_message_says(asked: Make) -> None:
    """Anthropic's and OpenAI's words for the same things."""
    tools = [{"name": "bash"}, {"type": "function", "function": {"name": "read"}}, {"type": "web_search"}]
    body = {"model": "claude-sonnet-4-5", "stream": True, "max_tokens": 10, "tools": tools}
    (call,) = read(asked("model", "POST", "/v1/messages", body=body))
    assert call.llm is not None
    assert (call.llm.model, call.llm.stream, call.llm.max_tokens) == ("claude-sonnet-4-5", True, 10)
    assert call.llm.tools == ("bash", "read", "web_search")
    (call,) = read(asked("model", "POST", "/v1/messages", body={"functions": [{"name": "f"}]}))
    assert call.llm is not None
    assert (call.llm.model, call.llm.stream, call.llm.tools) == (None, False, ("f",))


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "bash", "function": {"name": "read"}},
        {"type": "custom", "custom": {"name": "bash"}, "name": "read"},
        {"function": {"name": "bash"}, "custom": {"name": "read"}},
    ],
)
def test_every_name_of_a_tool_counts(asked: Make, tool: dict[str, Any]) -> None:
    """Which of them the target obeys is not for us to guess."""
    (call,) = read(asked("model", "POST", "/v1/responses", body={"tools": [tool]}))
    assert call.llm is not None
    assert call.llm.tools == ("bash", "read")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"Model": "x"},
        {"model": 1},
        {"model": ""},
        {"model": "gpt\u200b"},
        {"model": "\uff47pt"},
        {"stream": "yes"},
        {"max_tokens": -1},
        {"max_tokens": 1.5},
        {"max_tokens": 1 << 64},
        {"tools": {}},
        {"tools": ["bash"]},
        {"tools": [{"name": "ba\u00adsh"}]},
        {"tools": [{"type": "function", "Function": {"name": "bash"}}]},
        {"tools": [{"type": "function", "function": {"Name": "bash"}}]},
        {"tools": [{"name": "bash "}]},
        b'{"model":"a","model":"b"}',
        b"not json",
        b"",
    ],
    ids=str,
)
def test_a_message_with_two_readings_is_refused(asked: Make, body: object) -> None:
    """Wrong types, keys in another case, invisible characters, duplicate keys."""
    with pytest.raises(Unclear):
        read(asked("model", "POST", "/v1/messages", body=body))


@pytest.mark.parametrize(
    "field", [("Content-Encoding", "gzip"), ("Content-Type", "application/json; charset=utf-16")]
)
def test_a_coded_body_is_refused(asked: Make, field: tuple[str, str]) -> None:
    """What the gateway does not decode it does not judge."""
    with pytest.raises(Unclear):
        read(asked("model", "POST", "/v1/messages", body={"model": "m"}, headers=(field,)))


# -- MCP -------------------------------------------------------------------------------------------


def test_a_tool_call(asked: Make, rpc: Make) -> None:
    """The tool and its arguments."""
    (call,) = read(asked("files", "POST", body=rpc("delete", path="/tmp/x", force=True)))
    assert call.action is Action.MCP_CALL
    assert call.rpc is not None
    assert (call.rpc.tool, call.rpc.arguments) == ("delete", {"path": "/tmp/x", "force": True})


def test_what_holds_up_the_loop_is_bounded(asked: Make, rpc: Make) -> None:
    """So many tools, and so many arguments in all calls of a body together."""
    tools = [{"name": f"t{number}"} for number in range(MAX_OFFERED + 1)]
    (call,) = read(asked("model", "POST", "/v1/messages", body={"tools": tools[1:]}))
    assert call.llm is not None
    assert len(call.llm.tools) == MAX_OFFERED
    with pytest.raises(Unclear, match=f"{MAX_OFFERED} tools"):
        read(asked("model", "POST", "/v1/messages", body={"tools": tools}))
    halves = [rpc("read", **{f"a{number}": 1 for number in range(MAX_ARGUMENTS // 2)})] * 2
    assert len(read(asked("files", "POST", body=halves))) == 2
    for body in ([*halves, rpc("read", a=1)], rpc("read", **{f"a{n}": 1 for n in range(MAX_ARGUMENTS + 1)})):
        with pytest.raises(Unclear, match=f"{MAX_ARGUMENTS} arguments"):
            read(asked("files", "POST", body=body))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_listening_and_leaving_are_messages(asked: Make, method: str) -> None:
    """They have no body, and no JSON-RPC method."""
    (call,) = read(asked("files", method, body=b""))
    assert (call.action, call.rpc and call.rpc.method) == (Action.MCP_MESSAGE, None)


def test_other_methods_are_messages(asked: Make, rpc: Make) -> None:
    """Reading a resource names it; an answer of the client's has no method."""
    body = rpc(method="resources/read") | {"params": {"uri": "file:///a"}}
    (call,) = read(asked("files", "POST", body=body))
    assert (call.action, call.rpc and call.rpc.uri) == (Action.MCP_MESSAGE, "file:///a")
    (call,) = read(asked("files", "POST", body={"jsonrpc": "2.0", "id": 1, "result": {}}))
    assert (call.action, call.rpc and call.rpc.method) == (Action.MCP_MESSAGE, None)


def test_every_element_of_a_batch_is_a_call(asked: Make, rpc: Make) -> None:
    """In order, each marked as part of a batch."""
    found = read(asked("files", "POST", body=[rpc("read"), rpc(method="ping"), rpc("delete")]))
    assert [call.rpc and call.rpc.tool for call in found] == ["read", None, "delete"]
    assert all(call.rpc and call.rpc.batch for call in found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        "text",
        [],
        [1],
        [[]],
        {},
        {"jsonrpc": "2.0"},
        {"jsonrpc": "1.0", "method": "ping"},
        {"jsonrpc": "2.0", "method": "ping", "Method": "tools/call"},
        {"jsonrpc": "2.0", "method": "tools/call"},
        {"jsonrpc": "2.0", "method": "tools/call", "params": []},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"Name": "x"}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": ""}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": ["rm"]}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "rm", "arguments": []}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "rm\u202e"}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "ｒm"}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "r" * 257}},
        {"jsonrpc": "2.0", "method": 1},
        {"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": 1}},
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","name":"rm"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"rm"}}',
        [{"jsonrpc": "2.0", "method": "ping"}] * (MAX_BATCH + 1),
    ],
    ids=lambda body: str(body)[:60],
)
def test_rpc_with_two_readings_is_refused(asked: Make, body: object) -> None:
    """Duplicate or differently cased keys, odd types, names with a second spelling, batches without bound."""
    with pytest.raises(Unclear):
        read(asked("files", "POST", body=body))


@pytest.mark.parametrize("method", ["Tools/Call", "tools/call ", " tools/call"])
def test_a_call_in_another_spelling_is_refused(asked: Make, rpc: Make, method: str) -> None:
    """It is no other message to a server that takes it for a call."""
    with pytest.raises(Unclear):
        read(asked("files", "POST", body=rpc("rm", method)))


@pytest.mark.parametrize("field", [("Mcp-Method", "ping"), ("Mcp-Name", "read")])
def test_headers_must_say_what_the_body_says(asked: Make, rpc: Make, field: tuple[str, str]) -> None:
    """A target may believe either."""
    with pytest.raises(Unclear):
        read(asked("files", "POST", body=rpc("delete"), headers=(field,)))
    agree = (("Mcp-Method", "tools/call"), ("Mcp-Name", "delete"))
    assert read(asked("files", "POST", body=rpc("delete"), headers=agree))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["jsonrpc", "method", "params", "name", "arguments", "id", "result", "Method"]
                ),
                inner | st.sampled_from(["2.0", "tools/call", "rm"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_calls_or_unclear(value: object) -> None:
    """Nothing else comes out, and a call of a tool always names it."""
    with contextlib.suppress(Unclear):
        for call in read(replace(_FILES, body=json.dumps(value).encode())):
            assert call.rpc is not None
            assert (call.action is Action.MCP_CALL) == (call.rpc.tool is not None)
