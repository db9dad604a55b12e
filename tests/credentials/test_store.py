"""The encrypted local store on disk."""

import fcntl
import os
from pathlib import Path

import pytest

from tachograph.credentials.errors import EntryMissing, KeyUnreadable, SecretUnreadable, StoreBroken
from tachograph.credentials.store import Store
from tachograph.schemas.secret_source import SecretSource

NOW = "2026-01-01T00:00:00Z"
TICKETS = SecretSource(store="tickets")


def counted(size: int) -> bytes:
    return os.urandom(size)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "keys" / "credentials", key_file=tmp_path / "keys" / "credentials.key")


def test_the_first_entry_makes_store_and_key(store: Store, tmp_path: Path) -> None:
    """Both readable by their owner only, in a folder that is."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    assert store.read(TICKETS).text == "s3cret"
    folder = tmp_path / "keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "credentials": 0o600,
        "credentials.key": 0o600,
        ".credentials.lock": 0o600,
    }
    assert b"s3cret" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_rotated_entry_has_a_new_value_and_its_old_one_stays_known(store: Store) -> None:
    """The masker needs both; a change is seen without reading."""
    store.add("tickets", "first", now=NOW, randomness=counted)
    before = store.stamp(TICKETS)
    store.rotate("tickets", "second\n", now=NOW, randomness=counted)
    found = store.read(TICKETS)
    assert (found.text, found.earlier, found.version) == ("second", ("first",), "version 2")
    assert store.stamp(TICKETS) != before


def test_what_is_deleted_is_gone(store: Store) -> None:
    """The refusal says how to set it."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    store.delete("tickets", randomness=counted)
    assert store.entries() == {}
    with pytest.raises(EntryMissing, match="tacho credentials set tickets"):
        store.read(TICKETS)


def test_a_store_that_is_not_there_yet_is_empty(store: Store) -> None:
    """Nothing is made by looking."""
    assert store.entries() == {}


def test_no_new_key_is_made_for_an_old_store(store: Store, tmp_path: Path) -> None:
    """It would lock the entries away for good."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    (tmp_path / "keys" / "credentials.key").unlink()
    with pytest.raises(KeyUnreadable, match="No such file"):
        store.add("mail", "s3cret", now=NOW, randomness=counted)


def test_another_key_is_said_to_be_one(store: Store, tmp_path: Path) -> None:
    """The file and the way on are named."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    other = Store(tmp_path / "other", key_file=tmp_path / "other.key")
    other.add("tickets", "s3cret", now=NOW, randomness=counted)
    (tmp_path / "other.key").replace(tmp_path / "keys" / "credentials.key")
    with pytest.raises(StoreBroken, match="keys/credentials: sealed under another key"):
        store.read(TICKETS)


def test_an_altered_or_shared_store_is_refused(store: Store, tmp_path: Path) -> None:
    """Nothing of it is used."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    file = tmp_path / "keys" / "credentials"
    file.chmod(0o644)
    with pytest.raises(StoreBroken, match="chmod 600"):
        store.read(TICKETS)
    file.chmod(0o600)
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreBroken, match="damaged or altered"):
        store.read(TICKETS)


def test_what_is_no_secret_is_not_stored(store: Store) -> None:
    """The same rule as for files."""
    with pytest.raises(SecretUnreadable, match="the value is empty"):
        store.add("tickets", " ", now=NOW, randomness=counted)
    with pytest.raises(SecretUnreadable, match="one line"):
        store.add("tickets", "a\nb", now=NOW, randomness=counted)
    assert store.entries() == {}


def test_one_writer_at_a_time(store: Store, tmp_path: Path) -> None:
    """The second is refused and nothing is lost."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    with (tmp_path / "keys" / ".credentials.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreBroken, match="somebody else is changing it"):
            store.rotate("tickets", "other", now=NOW, randomness=counted)
    store.rotate("tickets", "other", now=NOW, randomness=counted)
    assert store.read(TICKETS).text == "other"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """And no traceback."""
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "credentials", key_file=tmp_path / "key")
    with pytest.raises(StoreBroken, match="cannot be written"):
        store.add("tickets", "s3cret", now=NOW, randomness=counted)


def test_every_write_has_a_nonce_of_its_own(store: Store, tmp_path: Path) -> None:
    """Sealing the same entries twice gives other bytes."""
    store.add("tickets", "s3cret", now=NOW, randomness=counted)
    first = (tmp_path / "keys" / "credentials").read_bytes()
    store.rotate("tickets", "s3cret", now=NOW, randomness=counted)
    assert (tmp_path / "keys" / "credentials").read_bytes()[17:29] != first[17:29]
