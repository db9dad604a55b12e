"""`tacho` as a whole: help, version, exit codes, one message instead of a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.errors import Interrupted, PartDown, Refused, WrongUse
from tachograph.cli.main import app, exit_code, explain
from tachograph.cli.stack.errors import StackError
from tachograph.schemas.errors import ConfigurationError, ConfigurationProblem
from tachograph.sinks.errors import DependencyDown

COMMANDS = (
    *("up", "down", "status", "demo"),
    *("ingress", "process", "sink", "seal"),
    *("provision", "doctor", "keys"),
    *("login", "logout", "whoami", "token"),
    *("sessions", "show", "search"),
    *("mask", "rules"),
)
WAIT = 60.0


def _tacho(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("TACHO_")} | environment
    command = [sys.executable, "-m", "tachograph.cli.main", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=WAIT, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there_and_explains_itself(command: str) -> None:
    """Each of the documented commands has a help text."""
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"tacho {command}" in result.output or f"root {command}" in result.output


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in {"keys", "mask", "rules"}])
def test_every_command_takes_json(command: str) -> None:
    """Programs can read every one of them."""
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [command, "--help"])
    assert "--json" in result.output


def test_the_version_is_shown(tmp_path: Path) -> None:
    """`tacho --version` answers without a configuration."""
    done = _tacho("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "tacho")


def test_help_in_a_pipe_has_no_colours(tmp_path: Path) -> None:
    """Nor has anything else."""
    assert "\x1b[" not in _tacho("--help", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sessions",), 2, "no configuration found"),
        (("sessions", "--config", "missing.yaml"), 2, "cannot be read"),
        (("nonsense",), 2, "No such command"),
        (("show",), 2, "Missing argument"),
        (("status",), 3, ""),
        (("demo", "--agent", "nobody"), 2, "Invalid value"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Never a traceback."""
    done = _tacho(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_names_its_line(tmp_path: Path) -> None:
    """File, line, key, and exit code 2."""
    (tmp_path / "tacho.yaml").write_text("version: 1\nkafka: {partitions: 0}\n")
    done = _tacho("doctor", cwd=tmp_path)
    assert done.returncode == 2
    assert "tacho.yaml:2: kafka.partitions" in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """Whoever looks for a defect of ours gets it."""
    done = _tacho("--debug", "sessions", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("x"), 1),
        (WrongUse("x"), 2),
        (PartDown("x"), 3),
        (Interrupted("x"), 130),
        (StackError("x"), 3),
        (DependencyDown("x"), 3),
        (ConfigurationError((ConfigurationProblem("f", 1, "k", "m"),)), 2),
        (RuntimeError("x"), 1),
    ],
)
def test_every_kind_of_error_has_its_code(error: Exception, code: int) -> None:
    """Errors of other rooms too."""
    assert exit_code(error) == code


def test_a_foreign_error_does_not_quote_what_it_worked_on() -> None:
    """Its text could hold a payload; its kind is enough for the first look."""
    assert "secret" not in explain(RuntimeError("secret"))
    assert "RuntimeError" in explain(RuntimeError("secret"))
    assert explain(Refused("no")) == "error: no"
    assert explain(Interrupted("enough")) == "interrupted: enough"


def test_completion_is_offered(tmp_path: Path) -> None:
    """The shell can ask which commands there are, those that load late included."""
    done = _tacho(cwd=tmp_path, _TACHO_COMPLETE="complete_bash", COMP_WORDS="tacho ma", COMP_CWORD="1")
    assert "mask" in done.stdout or done.returncode == 0


def _through_a_shell(rest: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f'"$0" -m tachograph.cli.main {rest}', sys.executable]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)


@pytest.mark.parametrize(
    ("rest", "code", "said"),
    [
        ("--version >&-", 2, "standard output is closed"),
        ("--version 2>&- >&-", 2, ""),
        ("show 2>&-", 2, ""),
        ("--version >/dev/full", 1, "standard output or a file cannot be written (No space left"),
        ("--debug mask --help >/dev/full", 1, "standard output or a file cannot be written (No space left"),
        ("--version | sleep 0", 0, ""),
    ],
)
def test_an_output_that_cannot_be_written_is_said(rest: str, code: int, said: str) -> None:
    """It is no defect, and never a success where somebody was to read it."""
    if "/dev/full" in rest and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = _through_a_shell(rest)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    assert "Exception ignored" not in done.stderr
