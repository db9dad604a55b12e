"""The Claude Agent SDK's part of the demo, with a stand-in for the SDK, which is an optional package."""

import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Self

import httpx
import pytest

from tachograph.examples import facts
from tachograph.examples.agent import claude
from tachograph.examples.agent.tasks import tasks
from tachograph.examples.mcp_server.server import tools

ENVIRON = {
    "ANTHROPIC_BASE_URL": "http://gateway/c/model",
    "ANTHROPIC_API_KEY": "the-key",
    "TOOLS_URL": "http://gateway/c/mcp/mcp",
    "DESK_URL": "http://gateway/c/http",
}


class Client:
    """Takes prompts as the SDK's client does."""

    prompts: list[str]

    def __init__(self, _options: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def query(self, prompt: str) -> None:
        self.prompts.append(prompt)

    async def receive_response(self) -> AsyncIterator[object]:
        yield self


def test_the_sdk_is_told_base_url_key_and_tools() -> None:
    """One variable for the model, one server for the tools, and nothing from the machine's own settings."""
    told: dict[str, Any] = claude.options(ENVIRON, "/folder")
    assert told["env"]["ANTHROPIC_BASE_URL"] == ENVIRON["ANTHROPIC_BASE_URL"]
    assert told["mcp_servers"]["desk"]["headers"] == {"Authorization": "Bearer the-key"}
    assert told["setting_sources"] == []
    assert told["env"]["CLAUDE_CONFIG_DIR"] == told["cwd"] == "/folder"


async def test_every_tool_of_the_desk_is_allowed() -> None:
    """The list here and the server's own agree."""
    assert {tool.name for tool in await tools(facts.DEFAULTS).list_tools()} == set(claude.TOOLS)


async def test_every_prompt_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tasks, in order, with the tickets around them."""

    async def answer(_: httpx.AsyncClient, request: httpx.Request, **__: object) -> httpx.Response:
        return httpx.Response(200, request=request)

    Client.prompts = []
    sdk = SimpleNamespace(ClaudeAgentOptions=lambda **told: told, ClaudeSDKClient=Client)
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", sdk)
    monkeypatch.setattr(httpx.AsyncClient, "send", answer)
    await claude.run(ENVIRON, facts.DEFAULTS)
    assert Client.prompts == [prompt for task in tasks(facts.DEFAULTS) for prompt in task.prompts]
