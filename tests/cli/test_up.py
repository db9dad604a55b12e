"""`tacho up` with engines of one's own, `tacho status`, `tacho down`: the real processes."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from tachograph.cli import run_state
from tachograph.cli.checks import Verdict, examine
from tachograph.cli.documents import Documents
from tachograph.cli.home import make_key_files
from tachograph.cli.main import app
from tachograph.cli.settings import load
from tachograph.cli.stack.config import Endpoints
from tachograph.cli.stack.processes import wait_until

pytestmark = pytest.mark.engines

WAIT = 90.0


def _config(folder: Path, stack: Endpoints) -> Path:
    make_key_files(folder / "keys", randomness=os.urandom)
    name = f"up-{secrets.token_hex(4)}"
    file = folder / "tacho.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "kafka": {
                    "bootstrap_servers": stack.bootstrap_servers,
                    "topic_prefix": name,
                    "partitions": 1,
                },
                "opensearch": {"url": stack.opensearch_url, "index_prefix": name},
                "ingress": {"listen": {"port": 0}},
                "connections": [{"name": "desk", "protocol": "http", "upstream": "http://127.0.0.1:9"}],
            }
        )
    )
    return file


@pytest.fixture(scope="module")
def up(
    stack: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, object]]]:
    """Everything running on the shared engines: the configuration's file and the ready line."""
    folder = tmp_path_factory.mktemp("up")
    file = _config(folder, stack)
    command = [sys.executable, "-m", "tachograph.cli.main", "up", "--config", str(file)]
    log = folder / "up.err"
    env = {key: value for key, value in os.environ.items() if key != "TACHO_HOME"}
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), log.read_text()
        try:
            yield file, json.loads(line.removeprefix("ready "))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0, log.read_text()
    assert run_state.read(folder / ".tacho") is None


def test_a_refused_request_is_answered_and_on_record(up: tuple[Path, dict[str, object]]) -> None:
    """All three parts do their work: 401 for the agent, two documents for the analyst."""
    file, told = up
    answer = httpx.get(f"{told['ingress']}/c/desk/orders/7", trust_env=False, timeout=WAIT)
    assert answer.status_code == 401
    documents = Documents.open(load(file))

    def on_record() -> bool:
        documents.refresh()
        return documents.search("unmapped.tacho.type:response AND unmapped.tacho.origin:gateway", 5)[0] == 1

    assert wait_until(on_record, WAIT)


def test_the_status_shows_all_parts(up: tuple[Path, dict[str, object]]) -> None:
    """Running, with pids; no engines, because they are not ours."""
    result = CliRunner().invoke(app, ["status", "--json", "--config", str(up[0])])
    status = json.loads(result.stdout)
    assert result.exit_code == 0
    assert status["running"]
    assert [part["name"] for part in status["parts"]] == ["ingress", "process", "sink", "seal", "canary"]
    assert status["urls"] == up[1]


def test_the_doctor_finds_nothing_bad_but_the_missing_key(
    up: tuple[Path, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Topics, templates, groups and spool are as they should be; that nobody may come in is said."""
    for patience in ("sinks.topic_admin._ASK_SECONDS", "sinks.client.ASK_SECONDS", "cli.checks.ASK_SECONDS"):
        monkeypatch.setattr(f"tachograph.{patience}", WAIT)  # engines that all tests share may be slow
    found = {check.name: check for check in examine(load(up[0]))}
    assert [name for name, check in found.items() if check.verdict is Verdict.BAD] == ["API keys"]
    assert "tacho keys create" in found["API keys"].remedy
    assert found["dead letter"].found == "empty"


def test_a_second_start_is_refused_and_does_no_harm(up: tuple[Path, dict[str, object]]) -> None:
    """It names the process that runs; that one keeps its state."""
    result = subprocess.run(
        [sys.executable, "-m", "tachograph.cli.main", "up", "--config", str(up[0])],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "TACHO_HOME"},
    )
    assert result.returncode == 1
    assert "already runs" in result.stderr
    assert run_state.read(up[0].parent / ".tacho") is not None


def test_a_killed_part_comes_back(up: tuple[Path, dict[str, object]]) -> None:
    """The sink is killed; another process takes its place and is recorded."""
    home = up[0].parent / ".tacho"

    def sink() -> run_state.PartState:
        state = run_state.read(home)
        assert state is not None
        return next(part for part in state.parts if part.name == "sink")

    before = sink()
    os.kill(before.process.pid, signal.SIGKILL)
    assert wait_until(lambda: sink().process != before.process and sink().alive, WAIT)


def test_down_ends_everything(stack: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tacho down` in another shell; the parts are gone when it returns."""
    monkeypatch.delenv("TACHO_HOME", raising=False)
    file = _config(tmp_path, stack)
    command = [sys.executable, "-m", "tachograph.cli.main", "up", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        state = run_state.read(tmp_path / ".tacho")
        assert state is not None
        result = CliRunner().invoke(app, ["down", "--json", "--config", str(file)])
        assert json.loads(result.stdout)["ended"] == [
            "tacho up",
            "ingress",
            "process",
            "sink",
            "seal",
            "canary",
        ]
        assert process.wait(WAIT) == 0
    assert not any(part.alive for part in state.parts)
