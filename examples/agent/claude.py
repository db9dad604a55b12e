"""The same work by the real Claude Agent SDK: one base URL and one key in its environment, no other change.

`python -m tachograph.examples.agent.claude`, with the same environment as the plain agent.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tachograph.examples import facts
from tachograph.examples.agent.desk import Desk
from tachograph.examples.agent.tasks import Task, tasks

MAX_TURNS = 10
TOOLS = (
    *("lookup_customer", "lookup_order", "query_database", "read_file", "notify", "restart_service"),
    *("refund_order", "delete_customer", "export_customers"),
)
MODEL = "claude-sonnet-4-6"


def options(environ: Mapping[str, str], folder: str) -> dict[str, Any]:
    """What the SDK is told: its tools come from the desk's MCP server, its settings from nowhere else."""
    return {
        "model": MODEL,
        "max_turns": MAX_TURNS,
        "tools": [],
        "allowed_tools": [f"mcp__desk__{name}" for name in TOOLS],
        "mcp_servers": {
            "desk": {
                "type": "http",
                "url": environ["TOOLS_URL"],
                "headers": {"Authorization": f"Bearer {environ['ANTHROPIC_API_KEY']}"},
            }
        },
        "strict_mcp_config": True,
        "setting_sources": [],
        "cwd": folder,
        "env": {
            "ANTHROPIC_BASE_URL": environ["ANTHROPIC_BASE_URL"],
            "ANTHROPIC_API_KEY": environ["ANTHROPIC_API_KEY"],
            "CLAUDE_CONFIG_DIR": folder,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    }


async def run(environ: Mapping[str, str], told: Mapping[str, str]) -> None:
    """Work on all tickets, each in a conversation of its own."""
    sdk = import_module("claude_agent_sdk")  # an optional package without which everything else works
    desk = Desk(environ["DESK_URL"], environ["ANTHROPIC_API_KEY"], told)
    with tempfile.TemporaryDirectory() as folder:
        async with desk:
            await desk.log_in()
            for task in tasks(told):
                await desk.take(task.ticket)
                await _converse(sdk, sdk.ClaudeAgentOptions(**options(environ, folder)), task)
                # People paste their whole environment into tickets.
                await desk.note(task.ticket, f"run with ANTHROPIC_API_KEY={environ['ANTHROPIC_API_KEY']}")
            await desk.close_the_day()


async def _converse(sdk: Any, told: Any, task: Task) -> None:
    async with sdk.ClaudeSDKClient(told) as client:
        for prompt in task.prompts:
            await client.query(prompt)
            async for message in client.receive_response():
                print(type(message).__name__, flush=True)


def main() -> None:
    asyncio.run(run(os.environ, facts.load()))


if __name__ == "__main__":
    main()
