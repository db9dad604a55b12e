"""The commands, where no topic is needed. What they do to running parts is in tests/end_to_end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.main import app
from tachograph.cli.registry.topic import Word
from tachograph.schemas.control import RELEASE, ControlBook, ControlKey, Release
from tachograph.schemas.registry import Registry

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


class Topic:
    """A control topic of two releases, and what is put in force on it."""

    def __init__(self) -> None:
        self.released: list[tuple[Registry, Word]] = []
        self.lost = False
        """Whether snapshots are gone as soon as they are written."""
        self._key, self._book = ControlKey(b"k" * 32), ControlBook(ControlKey(b"k" * 32))
        for version, contact in enumerate(("first", "second"), 1):
            self._put(version, Registry(contact=contact))

    def read(self) -> ControlBook:
        return self._book

    def release(self, registry: Registry, word: Word) -> Release:
        self.released.append((registry, word))
        return self._put(len(self._book.releases) + 1, registry)

    def _put(self, version: int, registry: Registry) -> Release:
        at = "2026-01-01T00:00:00.000000000Z"
        release = Release(version=version, digest=registry.digest, at=at, by="x")
        if not self.lost:
            self._book.put(registry.digest, self._key.seal(registry.digest, registry.canonical()))
        self._book.put_release(self._key.seal(RELEASE, release.encode()))
        return release


@pytest.fixture
def topic(config: Path, monkeypatch: pytest.MonkeyPatch) -> Topic:
    config.write_text("registry: {source: topic}\n")
    made = Topic()
    monkeypatch.setattr("tachograph.cli.registry.command._topic", lambda _: made)
    return made


def told(config: Path, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(run("apply", *arguments, "-c", str(config), "--json")))


def test_what_is_gone_from_the_topic_is_said_and_can_be_put_back(config: Path, topic: Topic) -> None:
    """Nothing else is taken for what is in force meanwhile."""
    folder = config.parent / "registry"
    folder.mkdir()
    (folder / "registry.yaml").write_text("contact: third\n")
    topic.lost = True
    assert told(config, str(folder))["version"] == 3
    for command in (["connections"], ["policy", "list"], ["diff", str(folder)]):
        done = CliRunner().invoke(app, [*command, "-c", str(config)])
        assert isinstance(done.exception, Refused)
        assert "version 3 is in force and its snapshot is gone" in str(done.exception)
    topic.lost = False
    assert told(config, str(folder))["version"] == 4
    run("diff", str(folder), "-c", str(config))


def test_a_rollback_is_a_new_version_of_an_old_registry(config: Path, topic: Topic) -> None:
    """Only if the version that was seen is still in force; it says which it was, and can be taken back."""
    done = told(config, "--rollback", "1")
    assert (done["applied"], done["version"], done["changes"]) == (True, 3, 1)
    ((registry, word),) = topic.released
    assert registry.contact == "first"
    assert (word.comment, word.expect) == ("rollback to version 1", 2)
    told(config, "--rollback", "2", "--comment", "and back", "--expect", "3")
    registry, word = topic.released[-1]
    assert (registry.contact, word.comment, word.expect) == ("second", "and back", 3)


def test_a_rollback_to_what_is_in_force_applies_nothing(config: Path, topic: Topic) -> None:
    """Nor does one that is only tried."""
    assert told(config, "--rollback", "2")["applied"] is False
    assert told(config, "--rollback", "1", "--dry-run") | {"digest": ""} == {
        "applied": False,
        "version": 2,
        "digest": "",
        "changes": 1,
    }
    assert topic.released == []


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--rollback", "7"], Refused, "version 7 is not kept; there are: 1, 2"),
        (["--rollback", "1", "somewhere"], WrongUse, "or `--rollback VERSION`"),
        ([], WrongUse, "or `--rollback VERSION`"),
    ],
)
def test_a_rollback_that_cannot_be_is_refused(
    config: Path, topic: Topic, arguments: list[str], error: type[Exception], says: str
) -> None:
    """A version that is pruned, and a folder besides."""
    done = CliRunner().invoke(app, ["apply", *arguments, "-c", str(config)])
    assert isinstance(done.exception, error)
    assert says in str(done.exception)
    assert topic.released == []


@pytest.mark.parametrize("comment", ["two\nlines", "x\x1b[2J", "y" * 501])
def test_a_comment_that_a_release_does_not_take_is_wrong_use(config: Path, comment: str) -> None:
    """Before the topic is looked at."""
    config.write_text(CONFIG + "registry: {source: topic}\n")
    done = CliRunner().invoke(app, ["apply", str(config), "-c", str(config), "--comment", comment])
    assert isinstance(done.exception, WrongUse)
    assert "--comment" in str(done.exception)
