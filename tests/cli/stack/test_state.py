"""state.py: another process can tell and end what runs, and nothing else."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachograph.cli.stack import state
from tachograph.cli.stack.processes import ProcessId, identify

WAIT = 60.0
GONE = ProcessId(pid=1, started=0, boot="an earlier boot")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-I", "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0) as process:
        yield process
        process.kill()


def run_state(parent: ProcessId, engine: ProcessId) -> state.RunState:
    engines = (state.Engine("kafka", engine, 9092, "/log"),)
    return state.RunState("2026-01-01T00:00:00+00:00", parent, engines, "127.0.0.1:9092", "")


def own_id(process: subprocess.Popen[bytes]) -> ProcessId:
    found = identify(process.pid)
    assert found is not None
    return found


def test_a_record_reads_back_as_written(home: Path) -> None:
    """All of it, and clearing it leaves none."""
    written = run_state(GONE, GONE)
    state.write(home, written)
    assert state.read(home) == written
    state.clear(home)
    assert state.read(home) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "parent": {}}'])
def test_a_record_not_understood_is_none(home: Path, text: str) -> None:
    """Nothing is ended on the word of a damaged file."""
    state.state_file(home).write_text(text)
    assert state.read(home) is None
    assert state.status(home) is None
    assert state.down(home) == []


def test_status_tells_the_living_from_the_dead(home: Path, child: subprocess.Popen[bytes]) -> None:
    """Each recorded process is looked at now."""
    state.write(home, run_state(GONE, own_id(child)))
    found = state.status(home)
    assert found is not None
    assert not found.parent_alive
    assert found.engines_alive == {"kafka": True}


def test_down_ends_an_engine_whose_parent_is_gone(home: Path, child: subprocess.Popen[bytes]) -> None:
    """The orphan is asked, it ends, and the record is cleared."""
    state.write(home, run_state(GONE, own_id(child)))
    assert state.down(home) == ["kafka"]
    assert child.wait(WAIT) == -signal.SIGTERM
    assert state.read(home) is None


def test_down_asks_the_parent_first(home: Path, child: subprocess.Popen[bytes]) -> None:
    """The parent gets the signal; it stops its engines in order."""
    state.write(home, run_state(own_id(child), GONE))
    assert state.down(home) == ["tacho"]
    assert child.wait(WAIT) == -signal.SIGTERM


def test_down_spares_a_process_that_is_not_ours(home: Path, child: subprocess.Popen[bytes]) -> None:
    """The same pid with another start time is somebody else."""
    stranger = dataclasses.replace(own_id(child), started=1)
    state.write(home, run_state(stranger, stranger))
    assert state.down(home) == []
    assert child.poll() is None


def test_the_record_is_plain_json(home: Path) -> None:
    """Other programs may read it; it carries its version."""
    us = identify(os.getpid())
    assert us is not None
    state.write(home, run_state(us, GONE))
    record = json.loads(state.state_file(home).read_text())
    assert record["version"] == state.VERSION
    assert record["parent"]["pid"] == os.getpid()
