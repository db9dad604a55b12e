"""The desk's tools, called by a real MCP client."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.types import TextContent

from tachograph.examples import facts
from tachograph.examples.mcp_server.server import TOOL_USE_ID, noted, tools


async def test_all_tools_are_offered() -> None:
    """Nine tools, each with a description for the model."""
    async with Client(tools(facts.DEFAULTS)) as client:
        listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == {
        "lookup_customer",
        "lookup_order",
        "query_database",
        "read_file",
        "notify",
        "restart_service",
        "refund_order",
        "delete_customer",
        "export_customers",
    }
    assert all(tool.description for tool in listed)


async def test_a_file_holds_what_nobody_should_write_down() -> None:
    """The tool's result carries a password and a private key."""
    async with Client(tools(facts.DEFAULTS)) as client:
        result = await client.call_tool("read_file", {"path": "/etc/desk/settings.json"})
    (text,) = (item.text for item in result.content if isinstance(item, TextContent))
    assert facts.DEFAULTS["password"] in text
    assert facts.DEFAULTS["private_key"] in text


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("refund_order", {"id": 1042, "amount": 1900, "card": "4111111111111111"}, '"refunded": 1900'),
        ("delete_customer", {"id": 7}, '"deleted": true'),
        ("export_customers", {"path": "/a"}, '"path": "/a"'),
    ],
)
async def test_what_does_harm_is_done(tool: str, arguments: dict[str, object], said: str) -> None:
    """The server asks nobody: whoever wants to keep an agent from it must stand before it."""
    async with Client(tools(facts.DEFAULTS)) as client:
        result = await client.call_tool(tool, arguments)
    assert said in " ".join(item.text for item in result.content if isinstance(item, TextContent))


async def test_a_failing_tool_is_an_answer() -> None:
    """A tool that fails says so in its result, not as a broken connection."""
    async with Client(tools(facts.DEFAULTS)) as client:
        result = await client.call_tool("restart_service", {"name": "queue"})
    assert result.is_error


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"method": "tools/list"}, {"rpc_method": "tools/list"}),
        (
            {"method": "tools/call", "params": {"name": "notify", "_meta": {TOOL_USE_ID: "toolu_1"}}},
            {"rpc_method": "tools/call", "tool": "notify", "tool_use_id": "toolu_1"},
        ),
        ([], {}),
        ({"method": "x", "params": []}, {}),
    ],
)
def test_the_method_and_the_link_are_noted(message: object, expected: dict[str, str]) -> None:
    """Only the names of method and tool and the model's id are taken from a body."""
    assert noted(json.dumps(message).encode()) == expected


@given(st.binary(max_size=200))
def test_any_body_may_come(body: bytes) -> None:
    """A body that is no JSON-RPC is noted as nothing."""
    assert isinstance(noted(body), dict)
