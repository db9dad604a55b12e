"""The supervisor in a process of its own: workers start, are replaced, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

PROGRAM = """
import select, signal, sys, time
from tachograph.ingress import supervisor
from tachograph.ingress.errors import WorkersFailed

supervisor.RESTART_SECONDS = 0.01

def work(place):
    if "fail" in sys.argv:
        raise RuntimeError("no start")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    place.ready()
    select.select([place.life], [], [])

try:
    supervisor.Supervisor(2, work).run(lambda: print("ready", flush=True))
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


def _wait(holds: object) -> None:
    until = time.monotonic() + 10
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(supervisor: subprocess.Popen[str], number: signal.Signals) -> None:
    """Every worker is told, and the supervisor ends after the last one, with 0."""
    workers = _children(supervisor)
    assert len(workers) == 2
    supervisor.send_signal(number)
    assert supervisor.wait(30) == 0
    assert not any(worker.is_running() for worker in workers)


def test_a_dead_worker_is_replaced(supervisor: subprocess.Popen[str]) -> None:
    """One killed worker does not take the other one along."""
    first, second = _children(supervisor)
    first.kill()
    _wait(lambda: len(_children(supervisor)) == 2 and first not in _children(supervisor))
    assert second in _children(supervisor)
    supervisor.terminate()
    assert supervisor.wait(30) == 0


def test_workers_do_not_outlive_their_supervisor(supervisor: subprocess.Popen[str]) -> None:
    """When the supervisor is killed, its workers notice and end."""
    workers = _children(supervisor)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(30)
    _wait(lambda: not any(worker.is_running() for worker in workers))


def test_workers_that_cannot_start_are_given_up() -> None:
    """After a bounded number of quick deaths the supervisor ends with an error that says so."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "fail"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 7
    assert "5 workers in a row ended" in done.stdout
    assert "no start" not in done.stdout
