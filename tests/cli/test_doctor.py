"""`tacho doctor`: a table or JSON, and exit code 3 only for what is bad."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.checks import Check, Verdict
from tachograph.cli.home import make_home
from tachograph.cli.main import app


def _doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, *more: str) -> Result:
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    check = Check("Kafka", verdict, "somewhere", "do this")
    monkeypatch.setattr("tachograph.cli.checks.examine", lambda _settings: iter((check,)))
    return CliRunner().invoke(app, ["doctor", "--config", str(made.file), *more])


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.OK, 0), (Verdict.WARNING, 0), (Verdict.BAD, 3)])
def test_only_what_is_bad_makes_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, code: int
) -> None:
    """Warnings are told and do not stop a script."""
    assert _doctor(tmp_path, monkeypatch, verdict).exit_code == code


def test_the_remedy_stands_beside_the_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table and in JSON."""
    assert "do this" in _doctor(tmp_path / "a", monkeypatch, Verdict.BAD).stdout
    value = json.loads(_doctor(tmp_path / "b", monkeypatch, Verdict.BAD, "--json").stdout)
    assert value == [{"name": "Kafka", "verdict": "bad", "found": "somewhere", "remedy": "do this"}]
