"""`python -m tachograph.examples.agent`: reads where everything is from the environment and works.

ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY: the model; TOOLS_URL: the MCP server; DESK_URL: the HTTP API.
"""

from __future__ import annotations

import asyncio
import os

from tachograph.examples import facts
from tachograph.examples.agent.agent import Agent, Targets
from tachograph.examples.agent.tasks import tasks


def main() -> None:
    told = facts.load()
    targets = Targets(
        model_url=os.environ["ANTHROPIC_BASE_URL"],
        tools_url=os.environ["TOOLS_URL"],
        desk_url=os.environ["DESK_URL"],
        key=os.environ["ANTHROPIC_API_KEY"],
    )
    asyncio.run(Agent(targets, told).run(tasks(told)))


if __name__ == "__main__":
    main()
