"""What the figures were measured on, and how much CPU and memory a process tree took."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

__all__ = ["Machine", "Usage", "describe", "usage"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine as a reader has to know it."""

    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    python: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since start and resident bytes of a process with all its children."""

    cpu_s: float
    rss: int

    def since(self, before: Usage) -> float:
        """CPU seconds spent between two readings."""
        return self.cpu_s - before.cpu_s


def describe() -> Machine:
    """This machine."""
    info = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return Machine(
        cpu=names[0] if names else platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        kernel=platform.release(),
        python=platform.python_version(),
    )


def usage(pid: int) -> Usage:
    """Read the tree below `pid` now; processes that have just gone count nothing."""
    root = psutil.Process(pid)
    cpu = 0.0
    rss = 0
    for process in (root, *root.children(recursive=True)):
        try:
            times, memory = process.cpu_times(), process.memory_info()
        except psutil.NoSuchProcess:
            continue
        cpu += times.user + times.system
        rss += memory.rss
    return Usage(cpu_s=cpu, rss=rss)
