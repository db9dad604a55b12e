"""`tacho approvals|approve|deny|grants`: what is printed, what is refused before anybody is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.home import make_home
from tachograph.cli.main import app

NEED = {"group": "ops", "reviewers": 1, "reason": "deletes", "policy": "p", "missing": 1}
VIEW: dict[str, Any] = {
    "id": "7b0c1a2b-0000-4000-8000-000000000000",
    "state": "pending",
    "connection": "files",
    "requester": {"id": "bot"},
    "needs": [NEED],
    "asked": "2026-11-23T10:00:00Z",
    "expires": "2026-11-23T10:30:00Z",
    "request_digest": "a" * 64,
    "max_grant_minutes": 60,
    "document": {"unmapped": {"tacho": {"type": "request", "protocol": "http", "body": "[EMAIL:1]"}}},
    "shown": "b" * 64,
}


class Played:
    """A desk that answers as told and keeps what it was asked."""

    def __init__(self, view: Mapping[str, Any] = VIEW) -> None:
        self.view = dict(view)
        self.said: list[tuple[str, str, int]] = []

    def __call__(self, *_: Any, **__: Any) -> Played:
        return self

    def pending(self) -> list[dict[str, Any]]:
        return [self.view]

    def find(self, approval: str) -> dict[str, Any]:
        assert self.view["id"].startswith(approval)
        return self.view

    def decide(self, view: Mapping[str, Any], verdict: str, *, comment: str, minutes: int) -> dict[str, Any]:
        self.said.append((verdict, comment, minutes))
        return {**view, "state": "approved" if verdict == "approve" else "denied", "needs": []}

    def grants(self) -> list[dict[str, Any]]:
        grant = {"approval": VIEW["id"], "requester": {"id": "bot"}, "connection": "files"}
        return [{**grant, "since": "2026-11-23T10:00:00Z", "until": "2026-11-23T10:30:00Z"}]

    def revoke(self, approval: str) -> dict[str, Any]:
        return {"approval": approval, "revoked": True}

    def close(self) -> None:
        self.said.append(("closed", "", 0))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command against a desk that the test plays, as a local operator."""
    file = str(make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file)

    def invoke(*arguments: str, desk: Played | None = None) -> Result:
        monkeypatch.setattr("tachograph.cli.approvals.local.LocalDesk", desk or Played())
        return CliRunner().invoke(app, [*arguments, "--as", "ruth", "--group", "ops", "--config", file])

    return invoke


def test_what_waits_is_shown_with_its_masked_content(run: Any) -> None:
    """A table for people, the whole view for programs."""
    told = run("approvals").stdout
    assert all(word in told for word in ("7b0c1a2b", "bot", "files", "1 of ops", "deletes", "[EMAIL:1]"))
    assert json.loads(run("approvals", "--json").stdout) == [VIEW]


def test_approve_shows_what_it_is_and_says_what_became_of_it(run: Any) -> None:
    """The masked request on standard error, the outcome on standard output; the desk is closed."""
    desk = Played()
    done = run("approve", "7b0c", "--minutes", "5", "-m", "fine", desk=desk)
    assert done.exit_code == 0, done.output
    assert "[EMAIL:1]" in done.stderr
    assert done.stdout.strip() == f"{VIEW['id']}: approved"
    assert desk.said == [("approve", "fine", 5), ("closed", "", 0)]


def test_deny_needs_no_document(run: Any) -> None:
    """Whoever has seen nothing may still say no."""
    desk = Played({**VIEW, "shown": None, "document": None})
    assert run("deny", "7b0c", "-m", "no", desk=desk).stdout.strip().endswith(": denied")
    assert desk.said[0] == ("deny", "no", 0)


@pytest.mark.parametrize(
    ("arguments", "view", "error"),
    [
        (("approve", "7b0c"), {**VIEW, "shown": None, "document": None}, Refused),
        (("approve", "7b0c", "--minutes", "61"), VIEW, WrongUse),
    ],
)
def test_what_is_refused_before_it_is_said(
    run: Any, arguments: tuple[str, ...], view: dict[str, Any], error: type[Exception]
) -> None:
    """Unseen, or for longer than the operator's cap."""
    desk = Played(view)
    assert isinstance(run(*arguments, desk=desk).exception, error)
    assert desk.said == [("closed", "", 0)]


@pytest.mark.parametrize("comment", ["x\x1b[2J", "\u202ex", "y" * 2001])
@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_a_comment_that_the_log_does_not_take_is_wrong_use(run: Any, verb: str, comment: str) -> None:
    """Said before anybody is asked, not as a defect after it."""
    desk = Played()
    assert isinstance(run(verb, "7b0c", "-m", comment, desk=desk).exception, WrongUse)
    assert desk.said == []


def test_grants_are_listed_and_ended(run: Any) -> None:
    """Who may what until when; --revoke ends one."""
    assert "2026-11-23T10:30:00Z" in run("grants").stdout
    assert json.loads(run("grants", "--revoke", "7b0c", "--json").stdout) == {
        "approval": "7b0c",
        "revoked": True,
    }


def test_a_gateway_key_speaks_in_place_of_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose provider speaks only SAML has no login here; a damaged key is refused, and not shown."""
    file = str(make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "tachograph.cli.approvals.desk.ConsoleDesk", lambda *told: asked.append(told) or Played()
    )
    arguments = ["approvals", "--console", "https://console.test", "--config", file]
    key = f"tacho_abcdefgh_{'k' * 43}"
    done = CliRunner().invoke(app, arguments, env={"TACHO_KEY": key})
    assert (done.exit_code, asked) == (0, [("https://console.test", key)])
    refused = CliRunner().invoke(app, arguments, env={"TACHO_KEY": f"{key}\n"})
    assert isinstance(refused.exception, WrongUse)
    assert "kkk" not in str(refused.exception)


def test_without_a_console_or_a_name_nobody_is_asked(tmp_path: Path) -> None:
    """The message names both ways."""
    file = str(make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file)
    done = CliRunner().invoke(app, ["approvals", "--config", file])
    assert isinstance(done.exception, WrongUse)
    assert "--as NAME" in str(done.exception)
    grouped = CliRunner().invoke(app, ["approvals", "--group", "ops", "--config", file])
    assert isinstance(grouped.exception, WrongUse)
