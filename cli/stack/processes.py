"""Which process is which, although pids are used again: a pid counts only together with its start time."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KILL_WAIT: Final = 5.0  # s for the kernel to take a killed process away
_POLL: Final = 0.05  # s between two looks at a process that should end
_START_TIME_FIELD: Final = 22 - 3  # proc(5), counted after "pid (comm) "


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be confused with a later one of the same pid."""

    pid: int
    started: int  # clock ticks since boot
    boot: str  # the boot's id: start times of another boot mean nothing


def identify(pid: int) -> ProcessId | None:
    """The identity of a living process, None when there is none (a zombie counts as none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else ProcessId(pid, int(fields[_START_TIME_FIELD]), boot)


def alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs."""
    return identify(process.pid) == process


def end(process: ProcessId, signal_first: signal.Signals, grace: float, *, whole_group: bool) -> bool:
    """Ask a process to end, wait `grace` seconds, then SIGKILL it; True when asking was enough.

    Does nothing to a process that is not exactly this one. With `whole_group`, its process group follows it.
    """
    send = _to_group if whole_group else _to_process
    if not alive(process):
        return True
    send(process.pid, signal_first)
    if wait_until(lambda: not alive(process), grace):
        return True
    send(process.pid, signal.SIGKILL)
    wait_until(lambda: not alive(process), KILL_WAIT)
    return False


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Look every 50 ms until `holds()`, at most `seconds`; the last look's answer."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return held


def _to_process(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _to_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
