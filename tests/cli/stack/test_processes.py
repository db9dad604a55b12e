"""processes.py: a pid counts only together with its start time."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tachograph.cli.stack import processes

IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
DOCILE = "import sys; print(flush=True); sys.stdin.read()"
WAIT = 60.0


def started(program: str) -> subprocess.Popen[bytes]:
    """A process that has printed, so its handlers are set."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pytest.fixture
def docile() -> Iterator[subprocess.Popen[bytes]]:
    with started(DOCILE) as child:
        yield child
        child.kill()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    with started(IGNORE + DOCILE) as child:
        yield child
        child.kill()


def test_this_process_is_alive() -> None:
    """It is identified, the same each time."""
    us = processes.identify(os.getpid())
    assert us is not None
    assert processes.alive(us)


def test_another_start_time_is_another_process(docile: subprocess.Popen[bytes]) -> None:
    """A reused pid, or one of an earlier boot, is not touched."""
    real = processes.identify(docile.pid)
    assert real is not None
    for other in (dataclasses.replace(real, started=1), dataclasses.replace(real, boot="earlier")):
        assert not processes.alive(other)
        assert processes.end(other, signal.SIGKILL, 0, whole_group=True)
    assert docile.poll() is None


@pytest.mark.parametrize("whole_group", [True, False])
def test_asking_is_enough_for_most(docile: subprocess.Popen[bytes], whole_group: bool) -> None:
    """A process that ends when asked is not killed; as a zombie it counts as ended."""
    real = processes.identify(docile.pid)
    assert real is not None
    assert processes.end(real, signal.SIGTERM, WAIT, whole_group=whole_group)
    assert not processes.alive(real)
    assert docile.wait(WAIT) == -signal.SIGTERM


def test_a_stubborn_process_is_killed_after_its_grace(stubborn: subprocess.Popen[bytes]) -> None:
    """SIGKILL follows the grace, and the answer says so."""
    real = processes.identify(stubborn.pid)
    assert real is not None
    assert not processes.end(real, signal.SIGTERM, 0.1, whole_group=True)
    assert stubborn.wait(WAIT) == -signal.SIGKILL


def test_an_ended_process_has_no_identity(docile: subprocess.Popen[bytes]) -> None:
    """Neither a zombie nor a reaped one."""
    docile.kill()
    assert processes.wait_until(lambda: processes.identify(docile.pid) is None, WAIT)
    docile.wait(WAIT)
    assert processes.identify(docile.pid) is None


def test_waiting_has_an_end() -> None:
    """What never holds is given up."""
    assert not processes.wait_until(lambda: False, 0.01)
