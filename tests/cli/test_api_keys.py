"""The file of API keys: what it writes is what the ingress reads."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.api_keys import MAX_SCOPE, ApiKeys, Scope
from tachograph.cli.errors import Refused, WrongUse
from tachograph.identity.api_keys import KEY_PATTERN, ApiKeyFile
from tachograph.identity.errors import Unproven

NOW = "2026-01-02T03:04:05Z"


def _file(path: Path, now: datetime = datetime(2026, 1, 2, 4, tzinfo=UTC)) -> ApiKeyFile:
    return ApiKeyFile(path, now=lambda: now, monotonic=lambda: 0.0)


def test_the_ingress_takes_a_key_that_was_made(tmp_path: Path) -> None:
    """Name, hash and form are the ones that the other side expects."""
    path = tmp_path / "keys.yaml"
    made = ApiKeys(path).create("builder", randomness=os.urandom, now=NOW)
    assert KEY_PATTERN.fullmatch(made.text)
    assert _file(path).verify(made.text).principal.id == "builder"


def test_a_revoked_key_is_refused(tmp_path: Path) -> None:
    """The entry stays, with its time of revocation."""
    path = tmp_path / "keys.yaml"
    made = ApiKeys(path).create("builder", randomness=os.urandom, now=NOW)
    ApiKeys(path).revoke("builder", now=NOW)
    with pytest.raises(Unproven, match="revoked"):
        _file(path).verify(made.text)
    assert ApiKeys(path).entries()[0].revoked == NOW


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    """Expiry counts from its moment on."""
    path = tmp_path / "keys.yaml"
    made = ApiKeys(path).create("b", randomness=os.urandom, now=NOW, expires="2026-01-03T00:00:00Z")
    assert _file(path).verify(made.text).principal.id == "b"
    with pytest.raises(Unproven, match="expired"):
        _file(path, datetime(2026, 1, 3, tzinfo=UTC)).verify(made.text)


def test_a_name_is_used_once_at_a_time(tmp_path: Path) -> None:
    """Two valid keys of one name look the same in the record; after a revocation the name is free again."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    first = keys.create("a", randomness=os.urandom, now=NOW)
    with pytest.raises(Refused, match="exists"):
        keys.create("a", randomness=os.urandom, now=NOW)
    keys.revoke(first.entry.id, now=NOW)
    keys.create("a", randomness=os.urandom, now=NOW)
    assert len(keys.entries()) == 2


def test_an_expired_keys_name_is_free(tmp_path: Path) -> None:
    """What opens nothing stands in nobody's way."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    keys.create("a", randomness=os.urandom, now=NOW, expires=NOW)
    keys.create("a", randomness=os.urandom, now=NOW)
    assert [entry.valid(NOW) for entry in keys.entries()] == [False, True]


def test_a_rotated_key_overlaps_with_its_successor(tmp_path: Path) -> None:
    """Both open the same for a while, then the successor alone; no name is free in between."""
    path = tmp_path / "keys.yaml"
    scope = Scope(connections=("api",), groups=("ops",))
    old = ApiKeys(path).create("a", randomness=os.urandom, now=NOW, scope=scope)
    new = ApiKeys(path).rotate("a", randomness=os.urandom, now=NOW, ends="2026-01-02T05:00:00Z")
    for made in (old, new):
        proof = _file(path).verify(made.text)
        assert (proof.principal.id, proof.groups, proof.connections) == ("a", {"ops"}, {"api"})
    with pytest.raises(Unproven, match="expired"):
        _file(path, datetime(2026, 1, 2, 5, tzinfo=UTC)).verify(old.text)
    assert _file(path, datetime(2029, 1, 2, tzinfo=UTC)).verify(new.text).principal.id == "a"


def test_a_successor_lives_no_longer_than_its_key_was_made_for(tmp_path: Path) -> None:
    """A key of ninety days stays one of ninety days; who wants another time says so."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    keys.create("a", randomness=os.urandom, now="2026-01-01T00:00:00Z", expires="2026-04-01T00:00:00Z")
    for now, expires, ends in (
        ("2026-03-01T12:00:00Z", None, "2026-05-30T12:00:00Z"),
        ("2026-03-02T12:00:00Z", "2026-03-09T00:00:00Z", "2026-03-09T00:00:00Z"),
    ):
        made = keys.rotate("a", randomness=os.urandom, now=now, ends=now, expires=expires)
        assert made.entry.expires == ends


def test_an_overlap_never_prolongs_a_key(tmp_path: Path) -> None:
    """A key that ends sooner ends sooner; one that has ended has no successor."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    keys.create("a", randomness=os.urandom, now=NOW, expires="2026-01-02T04:00:00Z")
    keys.rotate(
        "a", randomness=os.urandom, now=NOW, ends="2026-02-02T00:00:00Z", expires="2026-01-02T06:00:00Z"
    )
    assert [entry.expires for entry in keys.entries()] == ["2026-01-02T04:00:00Z", "2026-01-02T06:00:00Z"]
    with pytest.raises(Refused, match="expired"):
        keys.rotate("a", randomness=os.urandom, now="2026-01-03T00:00:00Z", ends="2026-02-02T00:00:00Z")


def test_a_revocation_by_name_reaches_every_key_of_it(tmp_path: Path) -> None:
    """In the overlap as well; by id it reaches the one."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    first = keys.create("a", randomness=os.urandom, now=NOW)
    keys.rotate("a", randomness=os.urandom, now=NOW, ends="2027-01-01T00:00:00Z")
    assert [entry.id for entry in keys.revoke(first.entry.id, now=NOW)] == [first.entry.id]
    keys.rotate("a", randomness=os.urandom, now=NOW, ends="2027-01-01T00:00:00Z")
    assert len(keys.revoke("a", now=NOW)) == 2
    assert not any(entry.valid(NOW) for entry in keys.entries())


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each waits for the other between its reading and its writing."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: keys.create(f"k{n}", randomness=os.urandom, now=NOW), range(24)))
    assert {entry.name for entry in keys.entries()} == {f"k{n}" for n in range(24)}


@pytest.mark.parametrize("scope", [Scope(groups=("",)), Scope(("a\n",)), Scope(("a",) * (MAX_SCOPE + 1))])
def test_a_scope_that_cannot_be_meant_is_refused(tmp_path: Path, scope: Scope) -> None:
    """Empty and unprintable names, and more than a bound."""
    with pytest.raises(WrongUse):
        ApiKeys(tmp_path / "keys.yaml").create("a", randomness=os.urandom, now=NOW, scope=scope)


def test_what_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    """The error says where to look."""
    with pytest.raises(Refused, match="tacho keys list"):
        ApiKeys(tmp_path / "keys.yaml").revoke("nobody", now=NOW)


@pytest.mark.parametrize("text", ["- 1", "{a: 1}", "[{id: x}]", "a: [", "\x00"])
def test_a_broken_file_is_said_to_be_one(tmp_path: Path, text: str) -> None:
    """It is never taken for an empty one, which the next write would make it."""
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(WrongUse, match=re.escape(str(path))):
        ApiKeys(path).entries()


@given(name=st.text(max_size=300))
def test_any_name_is_stored_or_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """A name that is taken comes back as it was, whatever YAML thinks of it."""
    keys = ApiKeys(tmp_path_factory.mktemp("keys") / "keys.yaml")
    try:
        keys.create(name, randomness=os.urandom, now=NOW)
    except WrongUse:
        assert not 0 < len(name) <= 256 or not name.isprintable()
    else:
        assert keys.entries()[0].name == name


def test_the_file_is_private_and_replaced_in_one_step(tmp_path: Path) -> None:
    """0600, and nothing else is left in the folder."""
    keys = ApiKeys(tmp_path / "keys.yaml")
    keys.create("a", randomness=os.urandom, now=NOW)
    keys.create("b", randomness=os.urandom, now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.yaml"]
    assert (tmp_path / "keys.yaml").stat().st_mode & 0o777 == 0o600
