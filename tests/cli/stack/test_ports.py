"""ports.py: free ports are free, taken ones have a holder."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachograph.cli.stack import ports


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_zero_is_a_free_port_each_time() -> None:
    """Chosen ports are free and differ from all that are taken."""
    taken: set[int] = set()
    chosen = [ports.choose(0, taken) for _ in range(20)]
    assert len(set(chosen)) == 20
    assert taken == set(chosen)


def test_a_chosen_port_stays_free_while_others_connect() -> None:
    """It lies outside the range from which the system gives outgoing connections theirs."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    chosen = ports.choose(0, set())
    assert chosen in ports.REGISTERED
    assert not low <= chosen <= high


def test_a_wanted_port_is_taken_at_its_word() -> None:
    """No port but the one that was asked for."""
    assert ports.choose(19999, set()) == 19999


def test_a_listener_makes_a_port_taken(listening: int) -> None:
    """It answers, it is not free, and its holder is this process."""
    assert ports.answers(listening)
    assert not ports.is_free(listening)
    assert f"(pid {os.getpid()})" in str(ports.holder(listening))


def test_a_closed_port_is_free(listening: int) -> None:
    """Nobody answers, nobody holds it."""
    free = ports.choose(0, {listening})
    assert ports.is_free(free)
    assert not ports.answers(free)
    assert ports.holder(free) is None


def test_a_holder_out_of_sight_is_none(tmp_path: Path) -> None:
    """A listener of another user has no readable descriptors: its name is unknown, not invented."""
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:2384 00000000:0000 0A 0:0 0:0 0 1000 0 4711 1"
    (tmp_path / "net" / "tcp").write_text(f"header\n{row}\n")
    (tmp_path / "17" / "fd").mkdir(parents=True)
    assert ports.holder(0x2384, tmp_path) is None
    (tmp_path / "17" / "fd" / "3").symlink_to("socket:[4711]")
    (tmp_path / "17" / "comm").write_text("java\n")
    assert ports.holder(0x2384, tmp_path) == "java (pid 17)"
