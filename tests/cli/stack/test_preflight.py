"""preflight.py: what cannot work is refused before it is tried."""

import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tachograph.cli.stack import preflight
from tachograph.cli.stack.errors import FolderUnusable, PortInUse, TooLittleDisk, TooLittleMemory


def machine(root: Path, available_mb: int, group: tuple[str, int] | None = None, cached: int = 0) -> Path:
    """A root folder with the kernel's files: free memory in MB, control group limit and use in bytes."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {available_mb * 1024} kB\n")
    if group:
        folder = root / "sys/fs/cgroup"
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{group[0]}\n")
        (folder / "memory.current").write_text(f"{group[1]}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")
    return root


def test_a_taken_port_is_refused_with_its_holder() -> None:
    """The message names port, holder and option."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"{port}.*pid \d+.*--kafka-port"):
            preflight.check_port("kafka", port, "--kafka-port")
    preflight.check_port("kafka", port, "--kafka-port")


def test_a_small_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free and needed stand in the message, with the variable that moves the folder."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * preflight.MB))
    preflight.check_disk(tmp_path / "new", 5, "TACHO_HOME")
    with pytest.raises(TooLittleDisk, match=r"5 MB free, the engines need 6 MB.*TACHO_HOME"):
        preflight.check_disk(tmp_path / "new", 6, "TACHO_HOME")


def test_a_folder_below_a_file_is_unusable(tmp_path: Path) -> None:
    """A folder that cannot be made is told as such."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="TACHO_CACHE"):
        preflight.check_disk(tmp_path / "file" / "cache", 1, "TACHO_CACHE")


def test_small_memory_is_refused(tmp_path: Path) -> None:
    """Two engines of 512 MB heap need 832 MB."""
    root = machine(tmp_path, 831)
    with pytest.raises(TooLittleMemory, match="831 MB of memory are free, the engines need 832 MB"):
        preflight.check_memory([512, 512], root)
    preflight.check_memory([512], root)


def test_the_smaller_of_machine_and_group_counts(tmp_path: Path) -> None:
    """A container's limit, less what it uses, plus the cache that the kernel gives back."""
    mb = preflight.MB
    root = machine(tmp_path, 8000, (str(1000 * mb), 700 * mb), cached=200 * mb)
    assert preflight.available_mb(root) == 500


def test_a_group_without_limit_says_nothing(tmp_path: Path) -> None:
    """Then the machine alone counts."""
    assert preflight.available_mb(machine(tmp_path, 8000, ("max", 1))) == 8000


def test_an_unknown_machine_is_not_refused(tmp_path: Path) -> None:
    """Where the kernel tells nothing, nothing is refused."""
    preflight.check_memory([10**6], tmp_path)
