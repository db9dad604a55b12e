"""The desk's tools over MCP's streamable HTTP, in the stateless revision and in the older one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp

from tachograph.examples.exchange_log import ExchangeLog

TOOL_USE_ID = "claudecode/toolUseId"
"""Where Claude Code puts the model's `tool_use` id into a tool call's `_meta`."""


def tools(facts: Mapping[str, str]) -> MCPServer:
    """A server with nine tools; two answer with things that nobody should write down, three do harm."""
    server: MCPServer = MCPServer("support-desk", version="1.0.0", log_level="WARNING")

    @server.tool()
    def lookup_customer(id: int) -> dict[str, object]:  # noqa: A002 - the model sees this name
        """Who a customer is."""
        return {"id": id, "name": "Example GmbH", "plan": "business"}

    @server.tool()
    def lookup_order(id: int) -> dict[str, object]:  # noqa: A002 - the model sees this name
        """What was ordered, and what was charged for it."""
        return {"id": id, "charges": [{"amount": 1900}, {"amount": 1900}], "currency": "EUR"}

    @server.tool()
    def query_database(dsn: str, sql: str) -> dict[str, object]:
        """Run a query on the database that `dsn` names."""
        return {"rows": [[1, "double charge"]], "statement": sql, "connected": bool(dsn)}

    @server.tool()
    def read_file(path: str) -> str:
        """A configuration file of the desk."""
        settings = {"user": "desk", "password": facts["password"]}
        return f"# {path}\n{json.dumps(settings)}\n{facts['private_key']}\n"

    @server.tool()
    def notify(channel: str, token: str, text: str) -> dict[str, object]:
        """Tell a channel something."""
        return {"ok": bool(token), "channel": channel, "length": len(text)}

    @server.tool()
    def restart_service(name: str) -> str:
        """Restart a service; the desk may not, so it always fails."""
        raise ToolError(f"the desk may not restart {name}")

    _add_harmful(server)
    return server


def _add_harmful(server: MCPServer) -> None:
    @server.tool()
    def refund_order(id: int, amount: int, card: str) -> dict[str, object]:  # noqa: A002 - the model sees this name
        """Pay something back; `amount` in cents."""
        return {"order": id, "refunded": amount, "card_ends_in": card[-4:]}

    @server.tool()
    def delete_customer(id: int) -> dict[str, object]:  # noqa: A002 - the model sees this name
        """Close a customer's account and delete everything about them."""
        return {"id": id, "deleted": True}

    @server.tool()
    def export_customers(path: str) -> dict[str, object]:
        """Write all customers into a file."""
        return {"path": path, "customers": 4711}


def application(facts: Mapping[str, str], log: Path | None) -> ASGIApp:
    """The server at `/mcp`."""
    app = tools(facts).streamable_http_app(host="127.0.0.1")
    return ExchangeLog(app, server="mcp", file=log, note=noted)


def noted(body: bytes) -> Mapping[str, str]:
    """A call's JSON-RPC method; of a tool call the tool, and the model's `tool_use` id if one was sent."""
    try:
        message = json.loads(body)
        method = str(message["method"])
        params = message.get("params", {})
        meta = params.get("_meta", {})
        tool = {"tool": str(params["name"])} if method == "tools/call" and "name" in params else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    link = {"tool_use_id": str(meta[TOOL_USE_ID])} if TOOL_USE_ID in meta else {}
    return {"rpc_method": method} | tool | link
