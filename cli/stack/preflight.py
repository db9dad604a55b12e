"""Before anything is started: ports, disk and memory, each with a refusal that says what to do."""

import os
import shutil
from pathlib import Path
from typing import Final

from tachograph.cli.stack import ports
from tachograph.cli.stack.errors import FolderUnusable, PortInUse, TooLittleDisk, TooLittleMemory

MB: Final = 1024 * 1024
DATA_MB: Final = 300  # what fresh engines, their logs and a demo write
JVM_OVERHEAD_MB: Final = 160  # measured beside the heap, an engine: code, threads, class data
HEAP_SHARE: Final = 0.5  # of a heap that a fresh engine really touches


def check_port(engine: str, port: int, option: str) -> None:
    """Raise PortInUse unless the port is free on loopback."""
    if not ports.is_free(port):
        raise PortInUse(engine, port, option, ports.holder(port))


def check_disk(folder: Path, needed_mb: int, variable: str) -> None:
    """Make `folder` and raise TooLittleDisk when its file system has less than `needed_mb` free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(folder, error.strerror or str(error), variable) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FolderUnusable(folder, "no permission to write", variable)
    free_mb = shutil.disk_usage(folder).free // MB
    if free_mb < needed_mb:
        raise TooLittleDisk(folder, free_mb, needed_mb, variable)


def check_memory(heaps_mb: list[int], root: Path = Path("/")) -> None:
    """Raise TooLittleMemory when engines with these heaps will not fit beside what runs."""
    needed = int(sum(JVM_OVERHEAD_MB + HEAP_SHARE * heap for heap in heaps_mb))
    free = available_mb(root)
    if free is not None and free < needed:
        raise TooLittleMemory(free, needed)


def available_mb(root: Path = Path("/")) -> int | None:
    """Memory the kernel would give us, by machine and control group; None when neither tells."""
    known = [mb for mb in (_machine_mb(root), _group_mb(root)) if mb is not None]
    return min(known, default=None)


def _machine_mb(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(kilobytes) // 1024 if kilobytes else None


def _group_mb(root: Path) -> int | None:
    # A container sees its own control group as the root of the tree.
    group = root / "sys/fs/cgroup"
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        cached = _inactive_file((group / "memory.stat").read_text())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else (int(limit) - used + cached) // MB


def _inactive_file(statistics: str) -> int:
    return next(
        (int(line.split()[1]) for line in statistics.splitlines() if line.startswith("inactive_file ")), 0
    )
