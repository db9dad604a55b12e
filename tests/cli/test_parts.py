"""`tacho ingress|process|sink|seal`: the room's own `run` gets the configuration and its folder."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.home import make_home
from tachograph.cli.main import app


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("ingress", "tachograph.ingress.serve.run"),
        ("process", "tachograph.processors.worker.run"),
        ("sink", "tachograph.sinks.worker.run"),
        ("seal", "tachograph.processors.sealing.worker.run"),
    ],
)
def test_a_part_runs_with_the_configuration_and_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, target: str
) -> None:
    """Relative paths are relative to the file; the process has its memory private before it reads any."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    called = []
    private: list[bool] = []
    monkeypatch.setattr(
        "tachograph.credentials.process.keep_memory_private", lambda: private.append(not called)
    )
    monkeypatch.setattr(target, lambda config, **more: called.append((config, more)))
    result = CliRunner().invoke(app, [command, "--config", str(made.file)])
    assert result.exit_code == 0, result.output
    (config, more) = called[0]
    assert config.connections[0].name == "anthropic"
    assert more["base"] == tmp_path
    assert private == [True]


def test_the_ingress_says_when_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ready line with what it was told."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    monkeypatch.setattr("tachograph.credentials.process.keep_memory_private", lambda: True)
    monkeypatch.setattr(
        "tachograph.ingress.serve.run",
        lambda _config, base, on_ready, file: on_ready({"ingress": "http://x"}),
    )
    result = CliRunner().invoke(app, ["ingress", "--config", str(made.file)])
    assert result.output == 'ready {"ingress": "http://x"}\n'
