"""Environment and files, and how places are called."""

from pathlib import Path

import pytest

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.provider import Plain, place, read_plain
from tachograph.schemas.secret_source import PlainSource, SecretSource, VaultSecret

NOWHERE = Path("/nonexistent")


def test_a_secret_comes_from_the_environment() -> None:
    """White space around it does not count, and it never changes."""
    plain, source = Plain(base=NOWHERE, environ={"KEY": " s3cret\n"}), SecretSource(env="KEY")
    assert plain.read(source).text == "s3cret"
    assert plain.stamp(source) == plain.stamp(source)


def test_a_secret_comes_from_a_private_file(tmp_path: Path) -> None:
    """The path is relative to the configuration; a change is seen without reading."""
    path = tmp_path / "key"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    plain, source = Plain(base=tmp_path), SecretSource(file="key")
    assert plain.read(source).text == "s3cret"
    before = plain.stamp(source)
    path.write_text("another one")  # of another length: two writings within a tick of the clock have one time
    assert plain.stamp(source) != before
    assert plain.read(source).text == "another one"


def test_the_processs_own_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other is given."""
    monkeypatch.setenv("TACHO_TEST_KEY", "s3cret")
    assert Plain(base=NOWHERE).read(SecretSource(env="TACHO_TEST_KEY")).text == "s3cret"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """Variable or file, the operator reads which."""
    with pytest.raises(SecretUnreadable, match="variable MISSING is not set"):
        read_plain(PlainSource(env="MISSING"), base=NOWHERE, environ={})
    with pytest.raises(SecretUnreadable, match="variable BLANK is empty"):
        read_plain(PlainSource(env="BLANK"), base=NOWHERE, environ={"BLANK": " "})
    with pytest.raises(SecretUnreadable, match="gone: No such file"):
        read_plain(PlainSource(file="gone"), base=tmp_path)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (SecretSource(env="KEY"), "environment variable KEY"),
        (SecretSource(file="k/f"), "file k/f"),
        (SecretSource(store="tickets"), "store entry tickets"),
        (SecretSource(vault=VaultSecret(path="a/b", key="k")), "Vault secret/a/b, field k"),
    ],
)
def test_a_place_has_a_name(source: SecretSource, name: str) -> None:
    """For messages; it holds no value."""
    assert place(source) == name
