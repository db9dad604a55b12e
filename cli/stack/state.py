"""The run state file: what `tacho status` reads and what `tacho down` may end."""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tachograph.cli.stack.processes import ProcessId, alive, end

VERSION: Final = 1
PARENT_GRACE: Final = 60.0  # s for the parent to stop its engines in order
ENGINE_GRACE: Final = 20.0  # s for an engine whose parent is gone


@dataclass(frozen=True, slots=True)
class Engine:
    """One running engine."""

    name: str
    process: ProcessId
    port: int
    log: str


@dataclass(frozen=True, slots=True)
class RunState:
    """One running stack."""

    started_at: str  # RFC 3339
    parent: ProcessId
    engines: tuple[Engine, ...]
    bootstrap_servers: str
    opensearch_url: str


@dataclass(frozen=True, slots=True)
class Status:
    """What is recorded, and which of it is true now."""

    state: RunState
    parent_alive: bool
    engines_alive: dict[str, bool]


def state_file(home: Path) -> Path:
    return home / "run" / "stack.json"


def write(home: Path, state: RunState) -> None:
    """Replace the state file in one step."""
    path = state_file(home)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"version": VERSION, **asdict(state)}, indent=2) + "\n")
    part.replace(path)


def read(home: Path) -> RunState | None:
    """The recorded stack; None when there is none, or the record is not one of ours."""
    try:
        return _parse(json.loads(state_file(home).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clear(home: Path) -> None:
    state_file(home).unlink(missing_ok=True)


def status(home: Path) -> Status | None:
    """What runs in this home folder, None when nothing is recorded."""
    state = read(home)
    if state is None:
        return None
    return Status(
        state, alive(state.parent), {engine.name: alive(engine.process) for engine in state.engines}
    )


def down(home: Path) -> list[str]:
    """End the recorded stack and wait for it; the names of what was ended, empty when nothing ran.

    The parent is asked first: it stops its parts in order. An engine that outlives it is ended itself.
    A process is touched only if pid, start time and boot are the recorded ones.
    """
    state = read(home)
    if state is None:
        return []
    ended = [engine.name for engine in state.engines if alive(engine.process)]
    if alive(state.parent):
        ended.append("tacho")
        end(state.parent, signal.SIGTERM, PARENT_GRACE, whole_group=False)
    for engine in state.engines:
        end(engine.process, signal.SIGTERM, ENGINE_GRACE, whole_group=True)
    clear(home)
    return ended


def _parse(record: dict[str, Any]) -> RunState:
    if record["version"] != VERSION:
        raise ValueError(f"expected version {VERSION}, found {record['version']!r}")
    return RunState(
        started_at=record["started_at"],
        parent=ProcessId(**record["parent"]),
        engines=tuple(
            Engine(**(entry | {"process": ProcessId(**entry["process"])})) for entry in record["engines"]
        ),
        bootstrap_servers=record["bootstrap_servers"],
        opensearch_url=record["opensearch_url"],
    )
