"""What the example servers counted themselves, independently of everything that we record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Call", "Exchange", "Seen", "read"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as far as both sides know it."""

    connection: str
    method: str
    path: str
    status: int

    def __str__(self) -> str:
        return f"{self.connection} {self.method} {self.path} -> {self.status}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool as it reached the MCP server, by the model's id of it."""

    tool: str
    tool_use_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """All exchanges so far, and what became of the tool calls that the model asked for."""

    exchanges: Counter[Exchange]
    tool_use_ids: frozenset[str]
    """The model's ids that tool calls came with."""
    calls: Counter[Call] = field(default_factory=Counter)
    """How often each of them came."""
    returned: frozenset[str] = frozenset()
    """Ids of the calls whose outcome came back to the model: a result, or why there is none."""

    @property
    def count(self) -> int:
        return self.exchanges.total()

    @property
    def refused_calls(self) -> int:
        """Tool calls that never reached the MCP server, and whose agent told the model so."""
        return len(self.returned - self.tool_use_ids)


def read(file: Path) -> Seen:
    """Read the servers' log; a line that is still being written is left for the next time."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        text = ""
    complete = text[: text.rfind("\n") + 1]
    lines = [json.loads(line) for line in complete.splitlines()]
    return Seen(
        exchanges=Counter(_exchanges(lines)),
        tool_use_ids=frozenset(_ids(lines)),
        calls=Counter(_calls(lines)),
        returned=frozenset(_returned(lines)),
    )


def _exchanges(lines: Iterable[dict[str, Any]]) -> Iterable[Exchange]:
    for line in lines:
        yield Exchange(str(line["server"]), str(line["method"]), str(line["path"]), int(str(line["status"])))


def _ids(lines: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (str(line["tool_use_id"]) for line in lines if "tool_use_id" in line)


def _calls(lines: Iterable[dict[str, Any]]) -> Iterable[Call]:
    return (Call(str(line.get("tool")), str(line["tool_use_id"])) for line in lines if "tool_use_id" in line)


def _returned(lines: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (str(uid) for line in lines for uid in line.get("returned", ()))
