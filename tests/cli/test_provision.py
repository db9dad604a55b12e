"""`tacho provision`: a report, and an exit code that says whether something is left to decide."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.sinks.provision import Report, Step


@pytest.mark.parametrize(("action", "code"), [("created", 0), ("unchanged", 0), ("differs", 1)])
def test_the_exit_code_says_whether_somebody_must_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, code: int
) -> None:
    """And the report is there as JSON."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    step = Step("topic", "tacho.raw", action)  # type: ignore[arg-type]  # one of the literals
    monkeypatch.setattr("tachograph.sinks.provision.provision", lambda *_, **__: Report((step,)))
    result = CliRunner().invoke(app, ["provision", "--json", "--config", str(made.file)])
    assert result.exit_code == code
    assert json.loads(result.stdout)["steps"][0]["action"] == action
