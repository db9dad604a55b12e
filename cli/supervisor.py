"""Child processes of ours: started, awaited, restarted when they die, stopped in order, never orphaned.

A child writes `ready {json}` on standard output when it serves; that goes to a file of its own, everything
else to its log. Whoever calls `tick` now and then learns what happened; nothing waits without a bound.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tachograph.cli.errors import PartDied
from tachograph.cli.stack import launch
from tachograph.cli.stack.child import last_lines
from tachograph.cli.stack.processes import ProcessId, identify

__all__ = ["FIRST_BACKOFF", "LAST_BACKOFF", "STOP_SECONDS", "Part", "Running", "Supervisor"]

FIRST_BACKOFF = 0.5
LAST_BACKOFF = 15.0
"""Seconds between a death and the next start; doubled from the first to the last."""
STEADY_SECONDS = 60.0
"""After so long a life the next death begins with the first backoff again."""
STOP_SECONDS = 12.0
"""How long a part may take to end by itself; it promises ten."""
_KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """What to run. `environment` is added to ours."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] | None = None


@dataclass(slots=True)
class Running:
    """One part and its present process."""

    part: Part
    log: Path
    ready_file: Path
    process: subprocess.Popen[bytes] | None = None
    identity: ProcessId | None = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF
    due: float | None = None
    restarts: int = 0

    def ready(self) -> dict[str, Any] | None:
        """What the part said when it began to serve, None before."""
        try:
            lines = self.ready_file.read_text(errors="replace").splitlines(keepends=True)
        except OSError:
            return None
        line = next((line for line in lines if line.startswith("ready ") and line.endswith("\n")), None)
        return None if line is None else dict(json.loads(line.removeprefix("ready ")))


class Supervisor:
    """All parts of one run. `start` must be called from a thread that lives as long as they shall."""

    def __init__(self, parts: Sequence[Part], *, logs: Path, run: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        run.mkdir(parents=True, exist_ok=True)
        self.parts = {
            part.name: Running(part, logs / f"{part.name}.log", run / f"{part.name}.ready") for part in parts
        }

    def start(self, *, now: float) -> None:
        """Start every part that does not run."""
        for running in self.parts.values():
            if running.process is None:
                _start(running, now)

    def ready(self) -> bool:
        """Whether every part serves; raises PartDied for one that ended before it did."""
        for running in self.parts.values():
            self._alive(running)
        return all(running.ready() is not None for running in self.parts.values())

    def tick(self, *, now: float) -> list[str]:
        """Restart what died, as its backoff allows; a sentence for each thing that happened."""
        return [text for running in self.parts.values() if (text := _tick(running, now)) is not None]

    def kill(self, name: str) -> None:
        """SIGKILL one part, as a crash would; the next ticks start it again."""
        process = self.parts[name].process
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """End the parts one after the other, each within STOP_SECONDS; names of those that were killed."""
        return [name for name in (self.parts if names is None else names) if not _stop(self.parts[name])]

    def _alive(self, running: Running) -> None:
        process = running.process
        if process is None or process.poll() is None or running.ready() is not None:
            return
        log, lines = last_lines(running.log)
        raise PartDied(running.part.name, _ending(process.returncode), log, lines)


def _start(running: Running, now: float) -> None:
    # The launcher sets PR_SET_PDEATHSIG before it becomes the part: nothing of ours outlives its parent.
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "-1", "-1"]
    with running.log.open("ab") as log, running.ready_file.open("wb") as ready:
        running.process = subprocess.Popen(
            [*launcher, *running.part.arguments],
            env={**os.environ, **(running.part.environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=ready,
            stderr=log,
            process_group=0,
        )
    running.identity = identify(running.process.pid)
    running.started, running.due = now, None


def _tick(running: Running, now: float) -> str | None:
    process = running.process
    if process is None or process.poll() is None:
        return None
    if running.due is None:
        if now - running.started >= STEADY_SECONDS:
            running.backoff = FIRST_BACKOFF
        running.due, wait = now + running.backoff, running.backoff
        running.backoff = min(running.backoff * 2, LAST_BACKOFF)
        return f"{running.part.name} ended ({_ending(process.returncode)}); it starts again in {wait:.1f} s"
    if now < running.due:
        return None
    running.restarts += 1
    _start(running, now)
    return f"{running.part.name} was started again"


def _stop(running: Running) -> bool:
    process, running.process = running.process, None
    if process is None or process.poll() is not None:
        return True
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_KILL_SECONDS)
        return False
    return True


def _ending(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
