"""The login that is kept: private, whole, or not taken."""

import json
from pathlib import Path

import pytest

from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.token_file import StoredToken, TokenFile, token_path

TOKEN = StoredToken("https://issuer.test", "cli", "access", "refresh", 1.5)


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tachograph" / "token.json")


def test_what_was_written_is_read(file: TokenFile) -> None:
    """For the owner's eyes only, and nothing is left beside it."""
    with file.held():
        file.write(TOKEN)
    assert file.read() == TOKEN
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in file.path.parent.iterdir()] == ["token.json"]
    assert "access" not in repr(TOKEN)
    assert "refresh" not in repr(TOKEN)


def test_nobody_is_logged_in_without_a_file(file: TokenFile) -> None:
    """Before a login and after a logout, which may be said twice."""
    for _ in range(2):
        file.delete()
        with pytest.raises(Refused, match="tacho login"):
            file.read()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_a_file_that_others_can_read_is_not_taken(file: TokenFile, mode: int) -> None:
    """Whoever may have read it may have used it."""
    file.write(TOKEN)
    file.path.chmod(mode)
    with pytest.raises(WrongUse, match="others"):
        file.read()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "7",
        "{}",
        '{"issuer": 1}',
        json.dumps(
            {"issuer": 1, "client_id": "", "access_token": "", "refresh_token": None, "expires_at": 0}
        ),
        "\xff",
        " " * 200_000,
    ],
)
def test_what_is_not_ours_is_not_taken(file: TokenFile, value: str) -> None:
    """It says how to get a good one."""
    file.write(TOKEN)
    file.path.write_text(value, encoding="latin-1")
    with pytest.raises(WrongUse, match="tacho login"):
        file.read()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CONFIG_HOME": "/x"}, Path("/x/tachograph/token.json")),
        ({"XDG_CONFIG_HOME": "relative"}, Path.home() / ".config/tachograph/token.json"),
        ({}, Path.home() / ".config/tachograph/token.json"),
    ],
)
def test_the_place_is_the_users_configuration(environ: dict[str, str], expected: Path) -> None:
    """A relative XDG_CONFIG_HOME does not count, as its specification says."""
    assert token_path(environ) == expected
