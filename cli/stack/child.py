"""One engine as a child process: started, watched, ended."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tachograph.cli.stack import launch
from tachograph.cli.stack.processes import KILL_WAIT, ProcessId, identify
from tachograph.cli.stack.user import EngineUser

LAST_LINES: Final = 12
_LINE_LIMIT: Final = 400  # characters of a log line in an error
_TAIL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the program with its arguments, where, and where its own log lies."""

    engine: str  # "kafka" or "opensearch"
    arguments: Sequence[str]
    folder: Path
    console: Path  # standard output and error
    log: Path  # what the engine writes itself


@dataclass(frozen=True, slots=True)
class Death:
    """An engine that ended unasked."""

    engine: str
    exit_code: int  # negative: the signal that ended it
    log: Path
    last_lines: tuple[str, ...]

    @property
    def ending(self) -> str:
        if self.exit_code < 0:
            return f"by {signal.Signals(-self.exit_code).name}"
        return f"exit code {self.exit_code}"


class Child:
    """A running engine in a process group of its own: Ctrl-C does not reach it, its parent's death does."""

    def __init__(self, command: Command, user: EngineUser | None) -> None:
        """Start it. Must be called from a thread that lives as long as the engine shall."""
        self.command = command
        uid, gid = (user.uid, user.gid) if user else (-1, -1)
        launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(uid), str(gid)]
        with command.console.open("ab") as console:
            self._process = subprocess.Popen(
                [*launcher, *command.arguments],
                cwd=command.folder,
                env=_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self.id: ProcessId | None = identify(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def death(self) -> Death | None:
        """How it ended, None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        log, lines = last_lines(self.command.log, self.command.console)
        return Death(self.command.engine, code, log, lines)

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself within `seconds`; waits for that."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def end(self, grace: float) -> bool:
        """Wait `grace` seconds for it, then kill its group; True when it ended by itself."""
        if self.ends_within(grace):
            return True
        self._signal(signal.SIGKILL)
        self._process.wait(KILL_WAIT)
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:  # not reaped yet, so the pid is still ours
            os.killpg(self._process.pid, number)


def last_lines(*logs: Path) -> tuple[Path, tuple[str, ...]]:
    """The first of `logs` that holds anything, and its last lines."""
    for log in logs:
        if log.exists() and log.stat().st_size:
            return log, _tail(log)
    return logs[0], ()


def _tail(log: Path) -> tuple[str, ...]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
    # A Java stack trace says what happened in its first line; the frames would push that out of sight.
    telling = (line for line in lines if not line.lstrip().startswith(("at ", "... ")))
    return tuple(line[:_LINE_LIMIT] for line in deque(telling, LAST_LINES))


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    # Engines need no environment; an agent's credentials in ours must not end up in theirs.
    return {name: ours[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in ours}
