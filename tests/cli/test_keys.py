"""`tacho keys`: shown once, listed without it, revoked."""

import base64
import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tachograph.cli.api_keys import ApiKey
from tachograph.cli.home import make_home
from tachograph.cli.keys import status
from tachograph.cli.main import app


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file)


def _keys(config: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--config", config])


def test_a_key_is_shown_once(config: str) -> None:
    """Standard output is the key alone, so that it can go into a variable; no list shows it or its hash."""
    made = _keys(config, "create", "builder")
    assert made.stdout.startswith("tacho_")
    assert len(made.stdout.split()) == 1
    listed = _keys(config, "list", "--json").stdout
    assert made.stdout.strip() not in listed
    shown = {"id", "name", "status", "created", "expires", "revoked", "connections", "groups"}
    assert shown == set(json.loads(listed)[1])


def test_a_key_can_be_bounded_in_time(config: str) -> None:
    """--days sets the expiry."""
    made = json.loads(_keys(config, "create", "b", "--days", "3", "--json").stdout)
    assert made["expires"].endswith("Z")


def test_a_key_can_be_bounded_in_scope(config: str) -> None:
    """To connections that are there, and with groups for policies; both are listed."""
    text = Path(config).read_text()
    name = yaml.safe_load(text)["connections"][0]["name"]
    made = json.loads(_keys(config, "create", "b", "--connection", name, "--group", "ops", "--json").stdout)
    assert (made["connections"], made["groups"]) == ([name], ["ops"])
    assert "ops" in _keys(config, "list").stdout
    refused = _keys(config, "create", "c", "--connection", "typo")
    assert "typo" in str(refused.exception)


def test_a_key_can_be_rotated(config: str) -> None:
    """The successor is shown once, both are listed as valid, and the old one has an end."""
    made = _keys(config, "rotate", "first", "--overlap", "2")
    assert made.stdout.startswith("tacho_")
    rows = json.loads(_keys(config, "list", "--json").stdout)
    assert [(row["name"], row["status"], row["expires"] is None) for row in rows] == [
        ("first", "valid", False),
        ("first", "valid", True),
    ]


def test_a_revoked_key_is_listed_as_such(config: str) -> None:
    """By name or id."""
    assert _keys(config, "revoke", "first").exit_code == 0
    assert "revoked" in _keys(config, "list").stdout


def test_no_keys_yet_says_how_to_make_one(tmp_path: Path, config: str) -> None:
    """An empty list is no dead end."""
    (tmp_path / "keys" / "api-keys.yaml").unlink()
    assert "tacho keys create" in _keys(config, "list").stdout


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ApiKey("i", "n", "h", "c"), "valid"),
        (ApiKey("i", "n", "h", "c", expires="2026-01-02T00:00:00Z"), "valid"),
        (ApiKey("i", "n", "h", "c", expires="2026-01-01T00:00:00Z"), "expired"),
        (ApiKey("i", "n", "h", "c", expires="2027-01-01T00:00:00Z", revoked="x"), "revoked"),
    ],
)
def test_the_status_follows_from_the_entry(entry: ApiKey, expected: str) -> None:
    """Revoked wins over expired."""
    assert status(entry, "2026-01-01T12:00:00Z") == expected


def test_a_pseudonym_compares_across_keys(config: str) -> None:
    """After a change of keys the earlier ones still name a value, which is never shown."""
    value = "ghp_" + "a1B2" * 9

    def markers() -> list[dict[str, str]]:
        done = CliRunner().invoke(
            app, ["keys", "pseudonym", "github_token", "--json", "--config", config], input=f"{value}\n"
        )
        assert value not in done.stdout
        found: list[dict[str, str]] = json.loads(done.stdout)
        return found

    (before,) = markers()
    folder = Path(config).parent / "keys"
    (folder / "pseudonym").rename(folder / "pseudonym-2025")
    (folder / "pseudonym").touch(0o600)
    (folder / "pseudonym").write_text(base64.b64encode(os.urandom(32)).decode())
    text = Path(config).read_text()
    assert "keys:" not in text
    Path(config).write_text(text + "\nkeys: {pseudonym_previous: [keys/pseudonym-2025]}\n")
    now, then = markers()
    assert then["marker"] == before["marker"]
    assert now["marker"] != then["marker"]
    assert now["marker"].startswith(f"[GITHUB_TOKEN:{now['key']}.")


@pytest.mark.parametrize("text", ["", "\n", "x" * (1 << 20) + "x"])
def test_a_pseudonym_of_nothing_is_wrong_use(config: str, text: str) -> None:
    """Empty, or larger than any secret."""
    done = CliRunner().invoke(app, ["keys", "pseudonym", "TOKEN", "--config", config], input=text)
    assert done.exit_code != 0
