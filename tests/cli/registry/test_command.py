"""The commands, where no topic is needed. What they do to running parts is in tests/end_to_end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.errors import WrongUse
from tachograph.cli.main import app

CONFIG = """connections: [{name: api, protocol: http, upstream: 'http://x', labels: {owner: team}}]
policy: {files: [p.cedar]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "tacho.yaml").write_text(CONFIG)
    (tmp_path / "p.cedar").write_text('@id("one") permit(principal, action, resource);\n')
    return tmp_path / "tacho.yaml"


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    return done.output


def test_what_the_file_registers_is_listed(config: Path) -> None:
    """Connections and policies; version 0 is the file's own."""
    assert "owner=team" in run("connections", "-c", str(config))
    told = json.loads(run("connections", "-c", str(config), "--json"))
    assert (told["version"], [one["name"] for one in told["connections"]]) == (0, ["api"])
    assert "permit" in run("policy", "list", "-c", str(config))
    policies = json.loads(run("policy", "list", "-c", str(config), "--json"))["policies"]
    assert [one["id"] for one in policies] == ["one"]


def test_a_difference_is_an_exit_code(config: Path) -> None:
    """And lines without colour in a pipe."""
    assert "Nothing differs" in run("diff", str(config), "-c", str(config))
    folder = config.parent / "registry" / "connections"
    folder.mkdir(parents=True)
    (folder / "api.yaml").write_text("name: api\nprotocol: http\nupstream: http://y\n")
    shown = run("diff", str(folder.parent), "-c", str(config), code=1)
    assert "-upstream: http://x" in shown
    assert "+upstream: http://y" in shown
    assert "\x1b" not in shown


def test_nothing_is_applied_where_nobody_follows(config: Path) -> None:
    """`registry.source` is `file`, and the message says what to set."""
    done = CliRunner().invoke(app, ["apply", str(config), "-c", str(config)])
    assert isinstance(done.exception, WrongUse)
    assert "source: topic" in str(done.exception)
