"""`tacho console`: the pages in the foreground, and one-time links into them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.home import make_home
from tachograph.cli.main import app


def test_the_pages_run_with_the_configuration_and_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ready line; the process keeps its memory private first."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    private: list[bool] = []
    monkeypatch.setattr("tachograph.credentials.process.keep_memory_private", lambda: private.append(True))
    monkeypatch.setattr(
        "tachograph.console.serve.run", lambda _config, base, on_ready: on_ready({"console": str(base)})
    )
    result = CliRunner().invoke(app, ["console", "--config", str(made.file)])
    assert result.output == f'ready {{"console": "{tmp_path}"}}\n'
    assert private == [True]


def test_a_local_link_is_printed_once_and_is_for_the_configured_address(tmp_path: Path) -> None:
    """Signed with the approvals key of this home."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    told = ["console", "--config", str(made.file), "--local-login", "ruth", "--group", "ops", "--json"]
    result = CliRunner().invoke(app, told)
    assert json.loads(result.output)["url"].startswith("http://127.0.0.1:8090/local/")
    elsewhere = CliRunner().invoke(app, [*told, "--url", "https://c.example/"])
    assert json.loads(elsewhere.output)["url"].startswith("https://c.example/local/")


@pytest.mark.parametrize("more", [["--group", "ops"], ["--local-login", ""], ["--local-login", "x" * 257]])
def test_what_makes_no_sense_is_refused(tmp_path: Path, more: list[str]) -> None:
    """Wrong use, exit code 2 in the shell."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    result = CliRunner().invoke(app, ["console", "--config", str(made.file), *more])
    assert getattr(result.exception, "exit_code", None) == 2
