"""The first configuration: valid, private, never overwriting."""

import os
from pathlib import Path

import pytest

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.home import add_key, make_home, make_key_files
from tachograph.identity.api_keys import parse_keys
from tachograph.ingress.keyfile import read_key

NOW = "2026-01-02T03:04:05Z"


def test_the_first_configuration_is_one_that_we_take(tmp_path: Path) -> None:
    """It loads, has managed engines and the two model connections, whose keys come from the environment."""
    made = make_home(tmp_path / "home", randomness=os.urandom, now=NOW)
    told = settings.load(made.file)
    assert told.configuration.stack.managed
    assert [item.name for item in told.configuration.connections] == ["anthropic", "openai"]
    assert told.home == tmp_path / "home"


def test_its_keys_are_those_that_the_parts_read(tmp_path: Path) -> None:
    """The ingress takes both key files and knows the first API key by its hash."""
    made = make_home(tmp_path, randomness=os.urandom, now=NOW)
    assert len(read_key(tmp_path / "keys" / "kek")) == 32
    assert read_key(tmp_path / "keys" / "kek") != read_key(tmp_path / "keys" / "pseudonym")
    text = (tmp_path / "keys" / "api-keys.yaml").read_text()
    assert parse_keys(text)[made.key.entry.id].name == "first"
    assert made.key.text not in text
    assert made.key.text not in repr(made)


def test_nobody_else_can_read_a_key(tmp_path: Path) -> None:
    """Files are 0600, their folder 0700."""
    make_home(tmp_path / "home", randomness=os.urandom, now=NOW)
    keys = tmp_path / "home" / "keys"
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert keys.stat().st_mode & 0o777 == 0o700


def test_existing_keys_stay(tmp_path: Path) -> None:
    """Making key files again changes none."""
    make_key_files(tmp_path, randomness=os.urandom)
    before = (tmp_path / "kek").read_bytes()
    make_key_files(tmp_path, randomness=os.urandom)
    assert (tmp_path / "kek").read_bytes() == before


def test_a_home_from_before_gets_its_approvals_key(tmp_path: Path) -> None:
    """Beside the other keys, once; never where they are not."""
    file, kek = tmp_path / "approvals", tmp_path / "kek"
    assert not add_key(file, beside=kek, randomness=os.urandom)
    kek.touch(0o600)
    assert not add_key(tmp_path / "other" / "approvals", beside=kek, randomness=os.urandom)
    assert add_key(file, beside=kek, randomness=os.urandom)
    before = read_key(file)
    assert not add_key(file, beside=kek, randomness=os.urandom)
    assert read_key(file) == before


def test_an_existing_configuration_is_never_overwritten(tmp_path: Path) -> None:
    """It is refused instead."""
    (tmp_path / "tacho.yaml").write_text("mine")
    with pytest.raises(WrongUse, match="File exists"):
        make_home(tmp_path, randomness=os.urandom, now=NOW)
    assert (tmp_path / "tacho.yaml").read_text() == "mine"
