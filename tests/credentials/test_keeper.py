"""Values in use: how soon a new one counts, how long an old one may stay, and what the masker must know."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from tachograph.credentials import keeper as keeping
from tachograph.credentials.errors import CredentialsError, SecretUnreadable, VaultDown, VaultRefused
from tachograph.credentials.keeper import LOOK_SECONDS, MAX_EARLIER, ROUNDS, Keeper
from tachograph.credentials.provider import Plain
from tachograph.credentials.secret import Secret
from tachograph.schemas.secret_source import SecretSource, VaultSecret

FILE = SecretSource(file="key")
VAULT = SecretSource(vault=VaultSecret(path="p"))
STALE, REFRESH = 100.0, 30.0
ROUND = REFRESH / ROUNDS


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A place in memory that may fail."""

    def __init__(self, text: str) -> None:
        self.now: Secret | CredentialsError = Secret(text)
        self.reads = 0
        self.read_event = threading.Event()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def read(self, source: SecretSource) -> Secret:
        self.reads += 1
        self.read_event.set()
        if isinstance(self.now, CredentialsError):
            raise self.now
        return self.now

    def stamp(self, source: SecretSource) -> Hashable:
        return object()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keeper(clock: Clock, local: Any, vault: Any = None, **more: Any) -> Keeper:
    settings = {"stale_seconds": STALE, "refresh_seconds": REFRESH, "monotonic": clock} | more
    return Keeper([FILE, VAULT] if vault else [FILE], local, vault, **settings)


def test_a_rotated_file_is_in_use_within_a_second(clock: Clock, tmp_path: Path) -> None:
    """It is not even looked at more often; a broken file in the middle of it keeps the old value."""
    path = tmp_path / "key"
    path.write_text("first")
    path.chmod(0o600)
    kept = keeper(clock, Plain(base=tmp_path))
    assert kept.value(FILE) == "first"
    path.write_text("second")
    assert kept.value(FILE) == "first"
    clock.now += LOOK_SECONDS
    assert kept.value(FILE) == "second"
    path.write_text("")
    clock.now += LOOK_SECONDS
    assert kept.value(FILE) == "second"
    assert "is empty" in kept.problem(FILE)
    path.write_text("third")
    clock.now += LOOK_SECONDS
    assert kept.value(FILE) == "third"
    assert kept.problem(FILE) == ""


def test_who_must_know_now_looks_now(clock: Clock, tmp_path: Path) -> None:
    """Within the second too: the masker asks before it masks what may hold the new value."""
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text("first")
    kept = Keeper([SecretSource(file="secret")], Plain(base=tmp_path), stale_seconds=STALE, monotonic=clock)
    (source,) = kept.values()
    path.write_text("the second")
    assert kept.known(source) == {"first"}
    kept.look(source)
    assert kept.known(source) == {"first", "the second"}


def test_what_has_not_changed_is_not_read_again(clock: Clock) -> None:
    """A look at the stamp is enough, and counts as good however long ago the reading was."""
    local = Place("first")
    local.stamp = lambda source: "same"  # type: ignore[method-assign]
    kept = keeper(clock, local)
    for _ in range(5):
        assert kept.value(FILE) == "first"
        clock.now += STALE + 1
    assert local.reads == 1


@pytest.mark.parametrize("error", [VaultDown("sealed"), VaultRefused("denied"), SecretUnreadable("empty")])
def test_the_last_good_value_is_used_for_a_bounded_time(clock: Clock, error: CredentialsError) -> None:
    """Whatever the reason; it is logged once, and after the bound there is no value at all."""
    structlog.reset_defaults()
    vault = Place("first")
    kept = keeper(clock, Place(""), vault)
    kept.ask()
    vault.now = error
    with capture_logs() as logs:
        clock.now = STALE
        kept.ask()
        kept.ask()
        assert kept.value(VAULT) == "first"
        clock.now = STALE + 1
        with pytest.raises(
            SecretUnreadable, match=f"{error.detail}; the last good value is older than 100 s"
        ):
            kept.value(VAULT)
    assert [entry["reason"] for entry in logs] == [error.detail]
    vault.now = Secret("second")
    kept.ask()
    assert kept.value(VAULT) == "second"


def test_silence_of_vaults_thread_is_no_good_answer(clock: Clock) -> None:
    """A question that hangs leaves the value as old as it is."""
    kept = keeper(clock, Place(""), Place("first"))
    kept.ask()
    clock.now = STALE + 1
    with pytest.raises(SecretUnreadable, match="no answer; the last good value"):
        kept.value(VAULT)


def test_what_was_never_read_has_no_value(clock: Clock) -> None:
    """The reason is that of the reading."""
    vault = Place("")
    vault.now = VaultDown("sealed")
    kept = keeper(clock, Place(""), vault)
    with pytest.raises(SecretUnreadable, match="not read yet"):
        kept.value(VAULT)
    kept.ask()
    with pytest.raises(SecretUnreadable, match="sealed"):
        kept.value(VAULT)
    assert kept.values()[VAULT] == frozenset()


def test_who_injects_waits_until_every_masker_knows(clock: Clock) -> None:
    """A new version of Vault's is in use two rounds after it was seen, within `refresh_seconds` in all.

    A masker knows it from its own next round on, which comes before.
    """
    vault = Place("first")
    ingress, masker = keeper(clock, Place(""), vault, cautious=True), keeper(clock, Place(""), vault)
    ingress.ask()
    assert ingress.value(VAULT) == "first"
    vault.now = Secret("second")
    clock.now = 1
    ingress.ask()
    assert ingress.value(VAULT) == "first"
    assert ingress.values()[VAULT] == {"first", "second"}
    clock.now += ROUND
    masker.ask()
    ingress.ask()
    assert "second" in masker.values()[VAULT]
    assert ingress.value(VAULT) == "first"
    clock.now = 1 + 2 * ROUND
    assert ingress.value(VAULT) == "second"
    assert ingress.values()[VAULT] == {"first", "second"}


def test_a_version_that_was_never_used_stays_known(clock: Clock) -> None:
    """Rotated twice within the wait, and rotated back."""
    vault = Place("first")
    kept = keeper(clock, Place(""), vault, cautious=True)
    for text in ("first", "second", "third", "first"):
        vault.now = Secret(text)
        kept.ask()
        assert kept.value(VAULT) == "first"
    clock.now = REFRESH
    assert kept.value(VAULT) == "first"
    assert kept.values()[VAULT] == {"first", "second", "third"}


def test_earlier_values_are_remembered_in_a_bounded_number(clock: Clock) -> None:
    """Those of the place too, where it tells of any."""
    local = Place("v0")
    kept = keeper(clock, local)
    for number in range(MAX_EARLIER + 5):
        local.now = Secret(f"v{number}", earlier=("from the store",))
        clock.now += LOOK_SECONDS
        kept.value(FILE)
    known = kept.values()[FILE]
    assert len(known) == MAX_EARLIER + 2
    assert {"v20", "v19", "v4", "from the store"} <= known
    assert "v3" not in known


def test_the_thread_asks_until_it_is_stopped(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start` returns with the first answers, and nothing runs after `stop`."""
    monkeypatch.setattr(keeping, "STOP_SECONDS", 30.0)
    vault = Place("first")
    kept = keeper(clock, Place(""), vault, refresh_seconds=0.03)
    kept.start()
    try:
        assert kept.value(VAULT) == "first"
        vault.now = Secret("second")
        vault.read_event.clear()
        assert vault.read_event.wait(30)
    finally:
        kept.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "vault"]
    assert vault.closed


def test_a_defect_in_a_round_is_logged_without_its_text(clock: Clock) -> None:
    """And the next round comes."""
    structlog.reset_defaults()
    vault, seen = Place("first"), threading.Event()

    def read(source: SecretSource) -> Secret:
        if vault.reads:
            seen.set()
            return Secret("second")
        vault.reads += 1
        raise ValueError("s3cret")

    vault.read = read  # type: ignore[method-assign]  a place with a defect
    kept = keeper(clock, Place(""), vault, refresh_seconds=0.03)
    with capture_logs() as logs:
        kept.start()
        assert seen.wait(30)
        kept.stop()
    assert logs[0] == {"event": "vault_round_failed", "kind": "ValueError", "log_level": "error"}


def test_no_thread_where_nothing_lies_in_vault(clock: Clock) -> None:
    """Nothing to ask, nothing to stop."""
    kept = keeper(clock, Place("x"))
    kept.start()
    assert kept._thread is None
    kept.stop()


def test_a_source_in_vault_without_a_vault_says_so(clock: Clock) -> None:
    """The setting that is missing."""
    kept = Keeper([VAULT], Place(""), stale_seconds=STALE, monotonic=clock)
    kept.ask()
    with pytest.raises(SecretUnreadable, match=r"credentials\.vault is not set"):
        kept.value(VAULT)


def test_no_repr_shows_a_value(clock: Clock) -> None:
    """Neither the keeper nor what it holds."""
    kept = keeper(clock, Place("s3cret"))
    kept.value(FILE)
    assert "s3cret" not in repr(kept) + repr(kept._held)
