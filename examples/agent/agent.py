"""A support agent: reads a ticket over HTTP, talks to the model, runs the tools it asks for, writes a note.

Nothing here knows what stands between the agent and its targets: it has three base URLs and one key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam, ToolUseBlock
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from tachograph.examples.agent.desk import Desk
from tachograph.examples.agent.tasks import Task

TIMEOUT = 330
"""Seconds for one call of a tool; people may have to agree to it first."""
MAX_TURNS = 10
"""Turns of one conversation before the agent gives up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Where everything is, and the key that opens it."""

    model_url: str
    tools_url: str
    desk_url: str
    key: str
    model: str = "claude-sonnet-4-6"

    def __repr__(self) -> str:
        return f"Targets(model_url={self.model_url!r})"


class Agent:
    """One agent with its clients."""

    def __init__(self, targets: Targets, facts: Mapping[str, str]) -> None:
        self._targets = targets
        self._model = anthropic.AsyncAnthropic(base_url=targets.model_url, api_key=targets.key, max_retries=2)
        self._desk = Desk(targets.desk_url, targets.key, facts)

    async def run(self, tasks: tuple[Task, ...]) -> None:
        """Work on all tickets, then do what only an older MCP client does."""
        async with self._desk, self._model:
            await self._desk.log_in()
            async with self._tools("auto") as tools:
                await self._work_on_all(tasks, tools)
            async with self._tools("legacy") as older:
                await older.list_tools()
                await older.call_tool("lookup_order", {"id": 1})
            await self._desk.close_the_day()

    @asynccontextmanager
    async def _tools(self, mode: str) -> AsyncIterator[Client]:
        headers = {"authorization": f"Bearer {self._targets.key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT, trust_env=False) as http:
            transport = streamable_http_client(self._targets.tools_url, http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def _work_on_all(self, tasks: tuple[Task, ...], tools: Client) -> None:
        """One after the other; those that may have to wait for people beside them."""
        offered = await _offered(tools)
        async with asyncio.TaskGroup() as beside:
            for task in tasks:
                if task.people:
                    beside.create_task(self._work(task, tools, offered))
            for task in tasks:
                if not task.people:
                    await self._work(task, tools, offered)

    async def _work(self, task: Task, tools: Client, offered: list[ToolParam]) -> None:
        await self._desk.take(task.ticket)
        messages: list[MessageParam] = []
        for prompt in task.prompts:
            messages.append({"role": "user", "content": prompt})
            try:
                await self._converse(messages, tools, offered)
            except anthropic.BadRequestError:
                break
        # People paste their whole environment into tickets.
        text = f"{len(messages)} messages; run with ANTHROPIC_API_KEY={self._targets.key}"
        await self._desk.note(task.ticket, text)

    async def _converse(self, messages: list[MessageParam], tools: Client, offered: list[ToolParam]) -> None:
        for _ in range(MAX_TURNS):
            async with self._model.messages.stream(
                model=self._targets.model, max_tokens=4096, messages=messages, tools=offered
            ) as stream:
                said = await stream.get_final_message()
            messages.append({"role": "assistant", "content": said.content})
            calls = [block for block in said.content if isinstance(block, ToolUseBlock)]
            if not calls:
                return
            results = await asyncio.gather(*(call_tool(tools, block) for block in calls))
            messages.append({"role": "user", "content": list(results)})


async def _offered(tools: Client) -> list[ToolParam]:
    listed = await tools.list_tools()
    return [
        {"name": tool.name, "description": tool.description or "", "input_schema": tool.input_schema}
        for tool in listed.tools
    ]


async def call_tool(tools: Client, block: ToolUseBlock) -> ToolResultBlockParam:
    """What the model is told: the tool's result, or why there is none."""
    # Claude Code hands the model's id over in the same place.
    meta: Any = {"claudecode/toolUseId": block.id}
    try:
        result = await tools.call_tool(block.name, dict(block.input), meta=meta)
    except MCPError as refusal:  # the model reads why, and goes on
        print(f"{block.name} was refused: {refusal}", flush=True)
        return _result(block, str(refusal), failed=True)
    text = "\n".join(item.text for item in result.content if isinstance(item, TextContent))
    return _result(block, text, failed=bool(result.is_error))


def _result(block: ToolUseBlock, text: str, *, failed: bool) -> ToolResultBlockParam:
    return {"type": "tool_result", "tool_use_id": block.id, "content": text, "is_error": failed}
