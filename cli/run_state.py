"""What runs in a home folder: written by `tacho up`, read by `tacho status`, ended by `tacho down`.

A process counts only with pid, start time and boot, so a pid that was used again is never touched.
"""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tachograph.cli.stack import state as engines
from tachograph.cli.stack.processes import ProcessId, alive, end

__all__ = ["PARENT_GRACE", "PartState", "RunState", "clear", "down", "read", "write"]

VERSION = 1
PARENT_GRACE = 90.0
"""Seconds for `tacho up` to stop its parts and engines in order."""


@dataclass(frozen=True, slots=True)
class PartState:
    """One child process of ours."""

    name: str
    process: ProcessId
    log: str

    @property
    def alive(self) -> bool:
        return alive(self.process)


@dataclass(frozen=True, slots=True)
class RunState:
    """One `tacho up`: who runs it, since when, where it serves."""

    parent: ProcessId
    started_at: str
    urls: dict[str, Any]
    parts: tuple[PartState, ...]

    @property
    def alive(self) -> bool:
        return alive(self.parent)


def write(home: Path, state: RunState) -> None:
    """Replace the state in one step."""
    path = _file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"version": VERSION, **asdict(state)}, indent=2) + "\n")
    part.replace(path)


def read(home: Path) -> RunState | None:
    """What is recorded, None when there is nothing, or nothing of ours."""
    try:
        value = json.loads(_file(home).read_bytes())
        if value["version"] != VERSION:
            return None
        parts = tuple(
            PartState(item["name"], ProcessId(**item["process"]), item["log"]) for item in value["parts"]
        )
        return RunState(ProcessId(**value["parent"]), value["started_at"], value["urls"], parts)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clear(home: Path) -> None:
    """Forget what is recorded."""
    _file(home).unlink(missing_ok=True)


def down(home: Path) -> list[str]:
    """End what runs in this home folder and wait for it; names of what was ended, empty when nothing ran.

    `tacho up` is asked, because it stops everything in order; what outlives it is ended itself.
    """
    ended = []
    state = read(home)
    if state is not None and state.alive:
        ended = ["tacho up", *(part.name for part in state.parts if part.alive)]
        end(state.parent, signal.SIGTERM, PARENT_GRACE, whole_group=False)
    for part in () if state is None else state.parts:
        end(part.process, signal.SIGTERM, PARENT_GRACE, whole_group=True)
    ended += engines.down(home)
    clear(home)
    return ended


def _file(home: Path) -> Path:
    return home / "run" / "up.json"
