"""`tacho witness`: a key of its own, a configuration of its own, one process for each memory."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result
from world import LOG, OTHER_LOG, sealed, story

from tachograph.cli.main import app
from tachograph.schemas.note import NoteKey, open_note
from tachograph.schemas.tlog_witness import AddCheckpoint

SECONDS = 60.0


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["witness", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A witness of one log, on any free port."""
    path = tmp_path / "witness.yaml"
    path.write_text(f"name: w.example/1\nlisten: {{port: 0}}\nlogs:\n- {LOG.key}\n")
    return path


def test_its_key_is_made_once_and_kept(file: Path) -> None:
    """For its owner only; the same verifier key each time."""
    first, second = run(file, "--key"), run(file, "--key")
    key = NoteKey.parse(first.stdout.strip())
    assert (first.exit_code, key.name, first.stdout) == (0, "w.example/1", second.stdout)
    assert "Keep a copy" in first.stderr
    assert "Keep a copy" not in second.stderr
    assert stat.S_IMODE((file.parent / "witness.key").stat().st_mode) == 0o600


def test_a_memory_without_its_key_makes_no_new_one(file: Path) -> None:
    """A missing volume must not become another witness in silence."""
    state = file.parent / "witness"
    state.mkdir()
    (state / "00.checkpoint").write_text("")
    done = run(file, "--key")
    assert done.exit_code != 0
    assert not (file.parent / "witness.key").exists()


def test_without_a_file_it_shows_one(tmp_path: Path) -> None:
    """What to write; and `--help` says what the command is for."""
    done = run(tmp_path / "none.yaml")
    assert done.exit_code != 0
    assert "name: witness.example.org/1" in str(done.exception)
    assert "only ever grow" in " ".join(run("--help").stdout.split())


@contextmanager
def serving(file: Path, *, end: signal.Signals) -> Iterator[tuple[str, NoteKey]]:
    """A witness process: where it is asked, and its key."""
    command = [sys.executable, "-m", "tachograph.cli.main", "witness", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            word, _, value = process.stdout.readline().partition(" ")
            assert word == "ready"
            said = json.loads(value)
            yield f"{said['witness']}/add-checkpoint", NoteKey.parse(said["key"])
            process.send_signal(end)
            process.wait(SECONDS)
            assert process.returncode == (0 if end is signal.SIGTERM else -end)
        finally:
            process.kill()


def test_it_cosigns_remembers_and_refuses_a_fork(file: Path) -> None:
    """A process: 200, then 422 for another history, also from one that was killed in between."""
    log, fork = sealed(story()), sealed(story(), cuts=(9, 10))
    with httpx.Client(timeout=SECONDS) as http, serving(file, end=signal.SIGKILL) as (url, key):
        answer = http.post(url, content=AddCheckpoint(0, (), log.note(0)).text())
        assert answer.status_code == 200
        assert open_note(log.note(0) + answer.text, [LOG.key, key]).signers == (LOG.key, key)
        command = [sys.executable, "-m", "tachograph.cli.main", "witness", str(file)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert (second.returncode, "another witness runs with it" in second.stderr) == (2, True)
    with httpx.Client(timeout=SECONDS) as http, serving(file, end=signal.SIGTERM) as (url, again):
        assert again == key
        broken = AddCheckpoint(9, (bytes(32),), fork.note(1)).text()
        assert http.post(url, content=broken).status_code == 422
        unknown = AddCheckpoint(9, (), sealed(story(), signer=OTHER_LOG).note(1)).text()
        assert http.post(url, content=unknown).status_code == 403
        good = AddCheckpoint(9, log.tree.consistency(9, 10), log.note(1)).text()
        assert http.post(url, content=good).status_code == 200
