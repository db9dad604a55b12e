"""What the example servers counted themselves, independently of everything that we record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Exchange", "Seen", "read"]


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
class Seen:
    """All exchanges so far, and the model's ids that tool calls came with."""

    exchanges: Counter[Exchange]
    tool_use_ids: frozenset[str]

    @property
    def count(self) -> int:
        return self.exchanges.total()


def read(file: Path) -> Seen:
    """Read the servers' log; a line that is still being written is left for the next time."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        text = ""
    complete = text[: text.rfind("\n") + 1]
    lines = [json.loads(line) for line in complete.splitlines()]
    return Seen(Counter(_exchanges(lines)), frozenset(_ids(lines)))


def _exchanges(lines: Iterable[dict[str, object]]) -> Iterable[Exchange]:
    for line in lines:
        yield Exchange(str(line["server"]), str(line["method"]), str(line["path"]), int(str(line["status"])))


def _ids(lines: Iterable[dict[str, object]]) -> Iterable[str]:
    return (str(line["tool_use_id"]) for line in lines if "tool_use_id" in line)
