"""The record of what runs: read as it was written, ended only where it is still the same process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli import run_state
from tachograph.cli.stack.processes import ProcessId, identify

GONE = ProcessId(pid=1, started=1, boot="another")


def _me() -> ProcessId:
    me = identify(os.getpid())
    assert me is not None
    return me


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All of it, parts included."""
    state = run_state.RunState(
        _me(),
        "2026-01-01T00:00:00+00:00",
        {"ingress": "http://x"},
        (run_state.PartState("sink", GONE, "/log"),),
    )
    run_state.write(tmp_path, state)
    assert run_state.read(tmp_path) == state
    assert state.alive
    assert not state.parts[0].alive
    run_state.clear(tmp_path)
    assert run_state.read(tmp_path) is None


@given(content=st.binary(max_size=200))
def test_anything_else_is_nothing(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A damaged file is not taken for a running system."""
    home = tmp_path_factory.mktemp("home")
    (home / "run").mkdir()
    (home / "run" / "up.json").write_bytes(content)
    assert run_state.read(home) is None


def test_down_asks_the_parent_and_waits_for_it(tmp_path: Path) -> None:
    """Afterwards it is gone, and nothing is recorded any more."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        parent = identify(process.pid)
        assert parent is not None
        run_state.write(tmp_path, run_state.RunState(parent, "now", {}, ()))
        # A zombie counts as ended: nobody waits for the child but this test, afterwards.
        assert run_state.down(tmp_path) == ["tacho up"]
    assert process.returncode != 0
    assert run_state.read(tmp_path) is None


def test_a_process_of_another_boot_is_not_touched(tmp_path: Path) -> None:
    """A pid that was used again is somebody else's."""
    stranger = ProcessId(os.getpid(), _me().started, "another boot")
    run_state.write(tmp_path, run_state.RunState(stranger, "now", {}, ()))
    assert run_state.down(tmp_path) == []


def test_down_where_nothing_runs_does_nothing(tmp_path: Path) -> None:
    """No error, no name."""
    assert run_state.down(tmp_path) == []
