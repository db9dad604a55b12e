"""The agent's work against the example servers, with nothing in between."""

import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import AsyncMock

from anthropic.types import ToolUseBlock
from mcp import Client, MCPError

from tachograph.examples import facts
from tachograph.examples.agent.agent import Agent, Targets, call_tool
from tachograph.examples.agent.tasks import tasks

WAIT = 30.0


@contextlib.contextmanager
def _server(name: str, log: Path) -> Iterator[str]:
    command = [sys.executable, "-m", f"tachograph.examples.{name}", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline().removeprefix("ready "))["url"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT)


async def test_the_agent_works_through_its_tickets(tmp_path: Path) -> None:
    """Tickets over HTTP, turns with the model, parallel tool calls, a retry, an error: all are sent."""
    log = tmp_path / "log.jsonl"
    with (
        _server("model_server", log) as model,
        _server("mcp_server", log) as tools,
        _server("http_api", log) as desk,
    ):
        targets = Targets(model_url=model, tools_url=f"{tools}/mcp", desk_url=desk, key="a-key")
        await Agent(targets, facts.DEFAULTS).run(tasks(facts.DEFAULTS))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    count = Counter((line["server"], line["status"]) for line in lines)
    assert count["model", 529] == 1
    assert count["model", 400] == 1
    assert count["model", 200] == 14
    assert count["http", 404] == 1
    linked = [line["tool_use_id"] for line in lines if "tool_use_id" in line]
    assert len(set(linked)) == len(linked) == 14
    assert {uid for line in lines for uid in line.get("returned", ())} == set(linked)
    assert {"server/discover", "initialize"} <= {line.get("rpc_method") for line in lines}


async def test_a_refused_call_is_an_answer_for_the_model() -> None:
    """It reads who said no and why, as it reads a tool's failure, and the conversation goes on."""
    said = "denied by the policy `x`: because"
    tools = SimpleNamespace(call_tool=AsyncMock(side_effect=MCPError(-32000, said)))
    block = ToolUseBlock(id="toolu_1", name="delete_customer", input={"id": 7}, type="tool_use")
    result = await call_tool(cast("Client", tools), block)
    assert result == {"type": "tool_result", "tool_use_id": "toolu_1", "content": said, "is_error": True}


def test_the_key_is_not_shown() -> None:
    """`repr` of the targets holds no credential."""
    targets = Targets(model_url="m", tools_url="t", desk_url="d", key="private")
    assert "private" not in repr(targets)
