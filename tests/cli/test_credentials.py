"""`tacho credentials`: values go in and never come out."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli import credentials
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.credentials.errors import SecretUnreadable, StoreBroken
from tachograph.credentials.secret import MAX_SECRET_BYTES
from tachograph.credentials.store import Store

VALUE = "s3cret-value"


@pytest.fixture(autouse=True)
def dumpable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own process stays as it is; what the call does is tested with its room."""
    monkeypatch.setattr("tachograph.credentials.process.keep_memory_private", lambda: True)


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file
    file.write_text(file.read_text().replace("{env: OPENAI_API_KEY}", "{store: openai}"))
    return str(file)


def run(config: str, *arguments: str, value: str | bytes = VALUE) -> Result:
    return CliRunner().invoke(app, ["credentials", *arguments, "--config", config], input=value)


def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "keys" / "credentials", key_file=tmp_path / "keys" / "credentials.key")


def test_a_value_goes_in_and_is_never_shown(config: str, tmp_path: Path) -> None:
    """Neither when it is set, nor in a list, nor after a rotation."""
    said = [
        run(config, "set", "openai", value=f"{VALUE}\n"),
        run(config, "rotate", "openai", value=f"{VALUE}-2"),
        run(config, "list"),
        run(config, "list", "--json"),
    ]
    assert [result.exit_code for result in said] == [0, 0, 0, 0]
    assert not [result.output for result in said if "s3cret" in result.output]
    entry = store(tmp_path).entries()["openai"]
    assert (entry.value, entry.earlier, entry.version) == (f"{VALUE}-2", (VALUE,), 2)
    (row,) = json.loads(said[-1].stdout)
    assert set(row) == {"name", "version", "created", "rotated", "connections"}
    assert (row["name"], row["version"]) == ("openai", 2)


def test_who_uses_an_entry_is_said(config: str) -> None:
    """And how to use one that nobody does."""
    assert "source: { store: other }" in run(config, "set", "other").stderr
    listed = json.loads(run(config, "list", "--json").stdout)
    assert [row["connections"] for row in listed] == [[]]
    assert "Used by openai." in run(config, "set", "openai").stderr
    assert "openai" in run(config, "delete", "openai").stderr


def test_what_is_there_or_not_is_refused(config: str) -> None:
    """A refusal, with the command that was meant."""
    run(config, "set", "a")
    for arguments, reason in (
        (("set", "a"), "credentials rotate a"),
        (("rotate", "b"), "credentials list"),
        (("delete", "b"), "credentials list"),
    ):
        error = run(config, *arguments).exception
        assert isinstance(error, Refused)
        assert reason in str(error)


def test_a_deleted_entry_is_gone(config: str, tmp_path: Path) -> None:
    """Connections that still want it are named."""
    run(config, "set", "openai")
    assert run(config, "delete", "openai").exit_code == 0
    assert store(tmp_path).entries() == {}
    assert "tacho credentials set" in run(config, "list").stdout


@pytest.mark.parametrize(
    "value", ["", "\n", "two\nlines", "s3cr\u00e9t", b"\xff", "x" * (MAX_SECRET_BYTES + 1)]
)
def test_what_is_no_secret_is_not_kept(config: str, tmp_path: Path, value: str | bytes) -> None:
    """The reason does not quote it."""
    error = run(config, "set", "a", value=value).exception
    assert isinstance(error, SecretUnreadable)
    assert "s3cr" not in str(error)
    assert store(tmp_path).entries() == {}


def test_a_value_on_the_command_line_is_not_taken(config: str) -> None:
    """Every user of a machine can read command lines."""
    assert run(config, "set", "a", VALUE).exit_code == 2
    with pytest.raises(WrongUse, match="name"):
        raise run(config, "set", "a=b").exception or AssertionError


def test_a_prompt_asks_a_person(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without showing what is typed."""
    asked: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return VALUE

    monkeypatch.setattr(credentials, "getpass", typed)
    monkeypatch.setattr(credentials.sys, "stdin", Terminal())
    assert credentials._value("a") == VALUE
    assert asked == ["Value of a (not shown): "]


def test_a_store_of_another_key_is_said_to_be_one(config: str, tmp_path: Path) -> None:
    """Exit code 2: a file must change."""
    run(config, "set", "a")
    key = tmp_path / "keys" / "credentials.key"
    key.write_bytes((tmp_path / "keys" / "kek").read_bytes())
    assert isinstance(run(config, "list").exception, StoreBroken)
