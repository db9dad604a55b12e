"""`tacho replay` as it is typed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tachograph.cli.errors import WrongUse
from tachograph.cli.main import app
from tachograph.cli.replay.command import KEY_VARIABLE, _target, _values
from tachograph.cli.settings import load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one connection."""
    file = tmp_path / "tacho.yaml"
    told: dict[str, Any] = {
        "connections": [{"name": "api", "protocol": "http", "upstream": "http://127.0.0.1:1"}],
        "ingress": {"listen": {"host": "127.0.0.1", "port": 8081}},
    }
    file.write_text(yaml.safe_dump(told))
    return file


@pytest.mark.parametrize("options", [[], ["--listen", ":0", "--against", "api"]])
def test_it_is_one_or_the_other(options: list[str], config: Path) -> None:
    """Serving, or asking."""
    done = CliRunner().invoke(app, ["replay", "0a46", "--config", str(config), *options])
    assert isinstance(done.exception, WrongUse)
    assert "either --listen" in str(done.exception)


def test_its_help_names_every_option() -> None:
    """And what the exit code means."""
    done = CliRunner().invoke(app, ["replay", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    for word in (
        "--listen",
        "--against",
        "--speed",
        "--only",
        "--values",
        "--ignore",
        "--trust",
        "Exit code 0",
    ):
        assert word in done.output


def test_a_connection_is_asked_through_the_gateway(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what it is asked is recorded; that takes a gateway key."""
    told = load(config)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(WrongUse, match=KEY_VARIABLE):
        _target(told, "api")
    monkeypatch.setenv(KEY_VARIABLE, "tacho_x")
    assert _target(told, "api").url == "http://127.0.0.1:8081/c/api"
    assert "tacho_x" not in repr(_target(told, "api"))
    assert _target(told, "http://test:1").url == "http://test:1"


def test_values_come_from_a_file_that_no_error_quotes(tmp_path: Path) -> None:
    """Neither what is no YAML nor what is something else."""
    file = tmp_path / "values.yaml"
    file.write_text('"[PASSWORD:ab12.0123456789abcdef]": opensesame\n')
    assert _values(file).by_name == {"[PASSWORD:ab12.0123456789abcdef]": "opensesame"}
    assert _values(None).by_name == {}
    file.write_text("{opensesame: [")
    with pytest.raises(WrongUse, match="not YAML") as refused:
        _values(file)
    assert "opensesame" not in str(refused.value)
    with pytest.raises(WrongUse, match="cannot be read"):
        _values(tmp_path / "none")
