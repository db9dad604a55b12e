"""`tacho sessions`, `show`, `search`: tables for people, JSON for programs, a way on where nothing is."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.documents import SessionSummary
from tachograph.cli.home import make_home
from tachograph.cli.main import app

SUMMARY = SessionSummary(
    "s-1", "builder", "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z", 3, 1, 70, 0.5, ("m",)
)
SAID = {
    "v": 1,
    "type": "erasure",
    "at": "2026-01-02T03:04:05Z",
    "by": "officer@desk",
    "rule": "tacho erase: a session",
    "reason": None,
    "session": str(uuid.UUID(int=2)),
    "log": "tachograph/example/0",
    "records": [[index, "2026.01.01", "request", str(uuid.UUID(int=1))] for index in range(7)],
}
SOURCE = {"unmapped": {"tacho": {"type": "request", "session": "s-1", "connection": "desk"}}}


class Found:
    """What a cluster would have answered."""

    max_hits = 1
    statements: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, *, empty: bool) -> None:
        self._empty = empty

    def sessions(self, _limit: int) -> list[SessionSummary]:
        return [] if self._empty else [SUMMARY]

    def resolve(self, session: str) -> str:
        return session

    def story(self, _session: str) -> Iterator[dict[str, Any]]:
        return iter(() if self._empty else (SOURCE,))

    def deletions(self, _session: str) -> list[dict[str, Any]]:
        return self.statements

    def search(self, _text: str, _limit: int) -> tuple[int, list[dict[str, Any]]]:
        return (0, []) if self._empty else (5, [SOURCE])


def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, empty: bool = False) -> Result:
    file = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file
    monkeypatch.setattr("tachograph.cli.documents.Documents.open", lambda _settings: Found(empty=empty))
    return CliRunner().invoke(app, [*arguments, "--config", str(file)])


@pytest.mark.parametrize("command", [("sessions",), ("show", "s-1"), ("search", "x")])
def test_each_has_a_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The same things in both."""
    assert "s-1" in _run(tmp_path / "a", monkeypatch, *command).stdout or command[0] == "show"
    value = json.loads(_run(tmp_path / "b", monkeypatch, *command, "--json").stdout)
    assert value


@pytest.mark.parametrize(
    ("command", "way_on"),
    [
        (("sessions",), "tacho up"),
        (("show", "s-1"), "tacho verify --live --session s-1"),
        (("search", "x"), "tacho sessions"),
    ],
)
def test_nothing_found_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], way_on: str
) -> None:
    """An empty state is not an empty screen."""
    result = _run(tmp_path, monkeypatch, *command, empty=True)
    assert result.exit_code == 0
    assert way_on in result.stdout


@pytest.mark.parametrize("empty", [True, False])
def test_what_was_deleted_is_told_by_whom_and_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    """Of a session that is gone as a whole, and of one that is gone in part; programs get the statements."""
    monkeypatch.setattr(Found, "statements", [{"unmapped": {"tacho": {"type": "erasure", "deletion": SAID}}}])
    shown = _run(tmp_path / "a", monkeypatch, "show", "s-1", empty=empty)
    assert shown.stdout.splitlines()[-1].startswith(
        "ERASED: 7 records, by officer@desk at 2026-01-02T03:04:05Z"
    )
    assert ("connection" in shown.stdout) != empty
    assert "No event" not in shown.stdout
    assert "tacho verify --live --session s-1" in shown.stderr
    value = json.loads(_run(tmp_path / "b", monkeypatch, "show", "s-1", "--json", empty=empty).stdout)
    assert len(value) == (1 if empty else 2)
    assert value[-1]["unmapped"]["tacho"]["deletion"]["records"] == 7


def test_more_hits_than_shown_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should take twenty lines for everything."""
    assert "5 match" in _run(tmp_path, monkeypatch, "search", "x").stdout
