"""The supervisor in a process of its own: workers start, are replaced, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

SECONDS = 60.0
PROGRAM = """
import select, signal, sys, time
from tachograph.ingress import supervisor
from tachograph.ingress.errors import WorkersFailed

supervisor.RESTART_SECONDS = 0.01

if "early" in sys.argv:  # a signal that comes while the workers are being started
    fork = supervisor.os.fork

    def told():
        child = fork()
        if child and len(ours._children) == 0:
            supervisor.os.kill(supervisor.os.getpid(), signal.SIGTERM)
        return child

    supervisor.os.fork = told

def work(place):
    if "fail" in sys.argv:
        raise RuntimeError("no start")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    place.ready()
    select.select([place.life], [], [])

try:
    ours = supervisor.Supervisor(2, work)
    ours.run(lambda: print("ready", flush=True))
except WorkersFailed as error:
    print(error.detail)
    sys.exit(7)
"""


@pytest.fixture
def supervisor() -> Iterator[subprocess.Popen[str]]:
    """Two workers, ready."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if _lives(child)]


def _lives(child: psutil.Process) -> bool:
    try:
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between two questions
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(supervisor: subprocess.Popen[str], number: signal.Signals) -> None:
    """Every worker is told, and the supervisor ends after the last one, with 0."""
    workers = _children(supervisor)
    assert len(workers) == 2
    supervisor.send_signal(number)
    assert supervisor.wait(SECONDS) == 0
    assert not any(map(_lives, workers))


def test_a_dead_worker_is_replaced(supervisor: subprocess.Popen[str]) -> None:
    """One killed worker does not take the other one along."""
    first, second = _children(supervisor)
    first.kill()
    _wait(lambda: len(_children(supervisor)) == 2 and first not in _children(supervisor))
    assert second in _children(supervisor)
    supervisor.terminate()
    assert supervisor.wait(SECONDS) == 0


def test_workers_do_not_outlive_their_supervisor(supervisor: subprocess.Popen[str]) -> None:
    """When the supervisor is killed, its workers notice and end."""
    workers = _children(supervisor)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(SECONDS)
    _wait(lambda: not any(map(_lives, workers)))


def _run(word: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, word]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_signal_during_the_start_ends_all() -> None:
    """No worker is begun after it, and so none is left that was never told."""
    done = _run("early")
    assert (done.returncode, "ready" in done.stdout) == (0, False)


def test_workers_that_cannot_start_are_given_up() -> None:
    """After a bounded number of quick deaths the supervisor ends with an error that says so."""
    done = _run("fail")
    assert done.returncode == 7
    assert "5 workers in a row ended" in done.stdout
    assert "no start" not in done.stdout
