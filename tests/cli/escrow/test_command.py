"""`tacho escrow` and `tacho reveal` as they are typed; tests/end_to_end/test_escrow.py goes all the way."""

from __future__ import annotations

import base64
import random
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from typer.testing import CliRunner, Result

from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.escrow import command, lookup
from tachograph.cli.main import app
from tachograph.cli.replay import access
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import Report
from tachograph.schemas.commitments import removed_block
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.escrow import Taken, public_text, seal_taken

KEY, UID, SESSION = b"k" * 32, str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
VALUE = b"hunter2-\x1b[31m-\xff"
HOLDERS = [X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document, its escrow and both holders' keys, without engines; Kafka is away."""
    one, other = (key.public_key() for key in HOLDERS)
    (record,) = seal_taken(Taken(SESSION, UID, KEY, (VALUE,)), (one, other), random.Random(1).randbytes)
    tacho = {"uid": UID, "session": SESSION} | removed_block([("PASSWORD", None, VALUE)], KEY, UID)
    monkeypatch.setattr(lookup, "stored", lambda *_: {"unmapped": {"tacho": tacho}})
    monkeypatch.setattr(lookup, "escrowed", lambda *_: record)
    monkeypatch.setattr(access, "ACKNOWLEDGED_SECONDS", 0.2)
    for number in (1, 2):
        file = tmp_path / f"{number}.key"
        file.touch(0o600)
        file.write_text(base64.b64encode(bytes([number]) * 32).decode())
    told = {"kafka": {"bootstrap_servers": "127.0.0.1:9"}}
    (tmp_path / "tacho.yaml").write_text(yaml.safe_dump(told))
    return tmp_path


def both(world: Path) -> tuple[str | Path, ...]:
    held = ("--share-of", world / "1.key", "--share-of", world / "2.key")
    return (*held, "--config", world / "tacho.yaml")


def test_a_key_pair_is_made_once(tmp_path: Path) -> None:
    """For its owner alone; what is printed is the public half, and no file is overwritten."""
    file = tmp_path / "holder.key"
    done = run("escrow", "keygen", "--out", file)
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(file.read_bytes()))
    assert done.stdout.strip() == public_text(private.public_key())
    assert file.stat().st_mode & 0o777 == 0o600
    assert isinstance(run("escrow", "keygen", "--out", file).exception, WrongUse)


def test_what_is_not_recorded_is_not_shown(world: Path) -> None:
    """Kafka does not answer: no share, no value, no proof, not a word of it."""
    files = [world / name for name in ("value", "proof", "share")]
    done = run("reveal", UID, "0", *both(world), "--output", files[0], "--proof", files[1])
    opened = run("escrow", "open", UID, "0", "--key", world / "1.key", "-o", files[2], *both(world)[-2:])
    assert isinstance(done.exception, PartDown)
    assert isinstance(opened.exception, PartDown)
    assert not any(file.exists() for file in files)
    assert "hunter2" not in done.output + str(done.exception)


def test_a_value_goes_to_a_terminal_or_a_file(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not into a pipe, where it would end in a log; in a file it is exact."""
    recorded: list[Any] = []
    monkeypatch.setattr(access, "record_access", lambda *_, **facts: recorded.append(facts))
    assert isinstance(run("reveal", UID, "0", *both(world)).exception, WrongUse)
    assert recorded == []
    done = run("reveal", UID, "0", *both(world), "--output", world / "value")
    assert ((world / "value").read_bytes(), "hunter2" in done.output) == (VALUE, False)
    (fact,) = recorded
    assert (fact["action"], UID in fact["how"], "hunter2" in fact["how"]) == ("reveal", True, False)


def test_on_a_terminal_a_value_steers_nothing(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hides or moves text is shown by its number, what is no text as bytes."""
    monkeypatch.setattr(access, "record_access", lambda *_, **__: None)
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(command, "sys", terminal)
    done = run("reveal", UID, "0", *both(world))
    assert done.stdout == "hunter2-⟨U+001B⟩[31m-\\xff\n"


def test_files_that_are_there_stay(world: Path) -> None:
    """Said before anything is opened or recorded."""
    for option in ("--output", "--proof"):
        done = run("reveal", UID, "0", *both(world), option, world / "1.key")
        assert isinstance(done.exception, WrongUse)
    assert base64.b64decode((world / "1.key").read_bytes()) == b"\x01" * 32


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [UID],
        ["no-uid", "0", "--output", "out"],
        ["--check", "proof"],
        [UID, "0", "--output", "no/folder"],
    ],
)
def test_what_is_not_said_is_asked_for(
    arguments: list[str], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read."""
    monkeypatch.chdir(world)
    assert isinstance(run("reveal", *arguments, *both(world)).exception, WrongUse)


def test_a_share_of_another_value_is_refused(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a file that is none is said to be none, without a word of it."""
    monkeypatch.setattr(access, "record_access", lambda *_, **__: None)
    share = world / "share"
    opened = run("escrow", "open", UID, "0", "--key", world / "1.key", "-o", share, *both(world)[-2:])
    assert opened.exit_code == 0, opened.exception
    held = ("--share", share, "--share-of", world / "2.key", *both(world)[-2:], "--output", world / "value")
    assert isinstance(run("reveal", UID, "1", *held).exception, SealBroken | Refused)
    assert not (world / "value").exists()
    share.write_text("opensesame")
    refused = run("reveal", UID, "0", *held)
    assert isinstance(refused.exception, WrongUse)
    assert "opensesame" not in str(refused.exception)


def test_an_access_needs_a_session_to_be_recorded_in(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that names none shows no value."""
    odd = {"unmapped": {"tacho": lookup.stored(None, UID)["unmapped"]["tacho"] | {"session": [1]}}}  # type: ignore[arg-type]
    monkeypatch.setattr(lookup, "stored", lambda *_: odd)
    done = run("reveal", UID, "0", *both(world), "--output", world / "value")
    assert isinstance(done.exception, Refused)
    assert not (world / "value").exists()


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Verdict.COMPLETE, "Proven"),
        (Verdict.REDUCED, "Proven"),
        (Verdict.RECORD_ALTERED, "not proven"),
        (Verdict.LOG_FORK, "not proven"),
        (Verdict.SESSION_OPEN, "Proven"),
    ],
)
def test_a_value_from_a_bundle_is_worth_what_the_bundle_is(
    verdict: Verdict, word: str, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, it is the exit code, and the record of the access has it; a later check says the same."""
    recorded: list[Any] = []
    document = lookup.stored(None, UID)  # type: ignore[arg-type]
    monkeypatch.setattr(lookup, "bundled", lambda *_: (document, Report(verdict)))
    monkeypatch.setattr(access, "record_access", lambda *_, **facts: recorded.append(facts))
    proof = world / "proof"
    done = run("reveal", UID, "0", *both(world), "--bundle", "b", "--trust", "t", "--proof", proof)
    checked = run("reveal", "--check", proof, "--bundle", "b", "--trust", "t")
    for one in (done, checked):
        assert one.exit_code == verdict.code
        assert word in one.stderr
        assert verdict.meaning in " ".join(one.stderr.split())
    assert verdict.word in recorded[0]["how"]
