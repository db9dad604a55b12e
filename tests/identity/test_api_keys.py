"""The key file as `tacho keys` writes it, as an operator may break it, and while it changes."""

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.api_keys import ApiKeys
from tachograph.identity.api_keys import LOOK_SECONDS, ApiKeyFile, parse_keys
from tachograph.identity.errors import KeysUnreadable, Unproven
from tachograph.schemas.event import PrincipalKind

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRET = "s" * 43
KEY = f"tacho_abcd2345_{SECRET}"


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def stored(**changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    return {"id": "abcd2345", "name": "bot", "hash": digest, "created": "2029-01-01T00:00:00Z"} | changes


def write(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(list(entries)))
    return path


def load(path: Path, clock: Clock | None = None) -> ApiKeyFile:
    return ApiKeyFile(path, now=lambda: NOW, monotonic=clock or Clock())


def test_a_key_names_its_principal(tmp_path: Path) -> None:
    """The principal is the key's name, verified by its hash."""
    principal = load(write(tmp_path / "k", stored())).verify(KEY).principal
    assert (principal.id, principal.kind, principal.issuer) == ("bot", PrincipalKind.API_KEY, None)


def test_what_the_command_makes_is_taken_here(tmp_path: Path) -> None:
    """`tacho keys create`, `revoke` and this file agree on key, hash and layout."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    made = keys.create("bot", randomness=os.urandom, now="2029-01-01T00:00:00Z")
    assert load(tmp_path / "keys.yaml").verify(made.text).principal.id == "bot"
    keys.revoke("bot", now="2029-06-01T00:00:00Z")
    with pytest.raises(Unproven, match="revoked"):
        load(tmp_path / "keys.yaml").verify(made.text)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (stored(revoked="2029-06-01T00:00:00Z"), "abcd2345 is revoked"),
        (stored(expires="2029-12-31T23:59:59Z"), "abcd2345 is expired"),
        (stored(expires="2030-01-01T00:00:00Z"), "abcd2345 is expired"),
        (stored(expires="2030-01-01T01:00:00+02:00"), "abcd2345 is expired"),
        (stored(hash="0" * 64), "not known"),
        (stored(id="zzzz2345"), "not known"),
    ],
    ids=["revoked", "expired", "at the second", "another zone", "wrong secret", "unknown id"],
)
def test_a_key_that_is_not_good_is_refused(tmp_path: Path, entry: dict[str, Any], reason: str) -> None:
    """The reason helps its owner and tells a stranger nothing; the key itself is not in it."""
    with pytest.raises(Unproven, match=reason) as refusal:
        load(write(tmp_path / "k", entry)).verify(KEY)
    assert SECRET not in str(refusal.value)


def test_a_stranger_does_not_learn_that_a_key_is_revoked(tmp_path: Path) -> None:
    """Only who knows the secret is told what became of the key."""
    keys = load(write(tmp_path / "k", stored(revoked="2029-06-01T00:00:00Z")))
    with pytest.raises(Unproven, match="not known"):
        keys.verify(f"tacho_abcd2345_{'t' * 43}")


def test_times_may_be_written_as_yaml_times(tmp_path: Path) -> None:
    """An operator's unquoted time means the same, UTC where no zone is given."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    text = (
        f"- {{id: abcd2345, name: bot, hash: '{digest}', created: 2029-01-01, expires: 2030-01-01T00:00:01Z}}"
    )
    (tmp_path / "k").write_text(text)
    assert load(tmp_path / "k").verify(KEY).principal.id == "bot"


def test_a_revocation_takes_effect_while_running(tmp_path: Path) -> None:
    """The file is looked at again within a second of its change, and not at each request."""
    clock = Clock()
    path = write(tmp_path / "k", stored())
    keys = load(path, clock)
    write(path, stored(revoked="2029-06-01T00:00:00Z"))
    keys.verify(KEY)
    clock.seconds = LOOK_SECONDS
    with pytest.raises(Unproven, match="revoked"):
        keys.verify(KEY)


@pytest.mark.parametrize(
    "text",
    ["{", "a: b", "- 1", "- {id: x}", "[" * 2000, "- !!python/object:os.system {}", "\0", "- {}"],
    ids=["cut", "mapping", "number", "short", "deep", "object", "control", "empty"],
)
def test_a_broken_file_keeps_the_last_good_keys(tmp_path: Path, text: str) -> None:
    """While the file is broken the keys read before are good and the problem is told; repaired, it counts."""
    clock = Clock()
    path = write(tmp_path / "k", stored())
    keys = load(path, clock)
    path.write_text(text)
    clock.seconds += LOOK_SECONDS
    assert keys.verify(KEY).principal.id == "bot"
    assert str(path) in keys.problem
    write(path, stored(name="new"))
    clock.seconds += LOOK_SECONDS
    assert (keys.verify(KEY).principal.id, keys.problem) == ("new", "")
    path.unlink()
    clock.seconds += LOOK_SECONDS
    assert keys.verify(KEY).principal.id == "new"
    assert "gone" in keys.problem


def test_a_broken_file_stops_the_start(tmp_path: Path) -> None:
    """There is no last good state then; the error names file and entry and no value."""
    path = write(tmp_path / "k", stored(hash="not-a-hash-but-perhaps-a-secret"))
    with pytest.raises(KeysUnreadable, match=r"k: entry 0\.hash") as refusal:
        load(path)
    assert "perhaps-a-secret" not in str(refusal.value)


def test_no_file_means_no_keys_until_there_is_one(tmp_path: Path) -> None:
    """A gateway may start with OIDC alone, or before the first key."""
    clock = Clock()
    keys = load(tmp_path / "k", clock)
    with pytest.raises(Unproven):
        keys.verify(KEY)
    write(tmp_path / "k", stored())
    clock.seconds += LOOK_SECONDS
    assert keys.verify(KEY).principal.id == "bot"


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """Who writes this file decides who is who."""
    path = write(tmp_path / "k", stored())
    path.chmod(0o666)
    with pytest.raises(KeysUnreadable, match="chmod go-w"):
        load(path)


def test_two_entries_with_one_id_are_refused() -> None:
    """Which of them would count must not depend on their order."""
    with pytest.raises(KeysUnreadable, match="same id"):
        parse_keys(yaml.safe_dump([stored(), stored(name="other")]))


@given(st.text(max_size=200))
def test_arbitrary_text_is_keys_or_a_refusal(text: str) -> None:
    """No file makes the parser raise anything else."""
    with contextlib.suppress(KeysUnreadable):
        assert isinstance(parse_keys(text), dict)
