"""Which configuration applies, and what is said when none does."""

from pathlib import Path

import pytest

from tachograph.cli import settings
from tachograph.cli.errors import NoConfiguration, WrongUse
from tachograph.schemas.errors import ConfigurationError


def test_the_named_file_wins(tmp_path: Path) -> None:
    """--config is taken as it is, whether it exists or not: a typing error must not be papered over."""
    assert settings.locate(tmp_path / "other.yaml", {}, tmp_path) == tmp_path / "other.yaml"


def test_the_folders_own_file_comes_before_the_homes(tmp_path: Path) -> None:
    """./tacho.yaml, then the one in the home folder."""
    home = tmp_path / ".tacho"
    home.mkdir()
    (home / "tacho.yaml").touch()
    assert settings.locate(None, {}, tmp_path) == home / "tacho.yaml"
    (tmp_path / "tacho.yaml").touch()
    assert settings.locate(None, {}, tmp_path) == tmp_path / "tacho.yaml"


def test_tacho_home_names_the_home(tmp_path: Path) -> None:
    """TACHO_HOME replaces .tacho."""
    assert settings.default_home({"TACHO_HOME": str(tmp_path / "h")}, tmp_path) == tmp_path / "h"
    assert settings.default_home({}, tmp_path) == tmp_path / ".tacho"


def test_no_file_at_all_is_said_with_both_places(tmp_path: Path) -> None:
    """The error names where it looked."""
    with pytest.raises(NoConfiguration, match=r"\.tacho/tacho\.yaml"):
        settings.locate(None, {}, tmp_path)


def test_a_folder_that_tacho_made_is_its_own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and run state of such a configuration lie beside it, whatever TACHO_HOME says."""
    monkeypatch.setenv("TACHO_HOME", str(tmp_path / "elsewhere"))
    file = tmp_path / "tacho.yaml"
    file.write_text("version: 1\n")
    assert settings.load(file).home == tmp_path / "elsewhere"
    (tmp_path / settings.HOME_MARK).touch()
    assert settings.load(file).home == tmp_path
    assert settings.load(file).base == tmp_path


def test_an_unreadable_file_is_wrong_use(tmp_path: Path) -> None:
    """Missing, a folder, or not text: never a traceback."""
    with pytest.raises(WrongUse, match="cannot be read"):
        settings.load(tmp_path / "missing.yaml")
    with pytest.raises(WrongUse, match="cannot be read"):
        settings.load(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongUse, match="UTF-8"):
        settings.load(tmp_path / "binary")


def test_a_wrong_setting_names_file_and_line(tmp_path: Path) -> None:
    """The schema's error comes through as it is."""
    file = tmp_path / "tacho.yaml"
    file.write_text("version: 1\ningress:\n  listne: {}\n")
    with pytest.raises(ConfigurationError, match=r"tacho\.yaml:3: ingress\.listne"):
        settings.load(file)
