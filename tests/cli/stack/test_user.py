"""user.py: engines run unprivileged, and it is known whether they can reach their files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.stack import user

SOMEBODY = user.EngineUser(4321, 4322)


def status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((0o040000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def test_only_root_needs_another_user() -> None:
    """An ordinary user runs the engines itself; root never does."""
    assert user.engine_user(1000) is None
    found = user.engine_user(0)
    assert found is not None
    assert found.uid > 0


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "enters"),
    [
        (0o700, 0, 0, False),
        (0o755, 0, 0, True),
        (0o711, 0, 0, True),
        (0o754, 0, 0, False),
        (0o700, 4321, 0, True),
        (0o077, 4321, 0, False),  # the owner's bits count, even when others may more
        (0o710, 0, 4322, True),
        (0o701, 0, 4322, False),
    ],
)
def test_mode_bits_are_read_as_the_kernel_reads_them(mode: int, uid: int, gid: int, enters: bool) -> None:
    """Owner before group before others."""
    assert user.may_enter(status(mode, uid, gid), SOMEBODY) is enters


@given(st.integers(0, 0o777))
def test_without_rights_for_others_strangers_stay_out(mode: int) -> None:
    """The last bit decides for them."""
    assert user.may_enter(status(mode, 0, 0), SOMEBODY) is bool(mode & 1)


def test_a_private_folder_above_closes_all_below(tmp_path: Path) -> None:
    """One closed folder on the way is enough; for ourselves nothing is closed."""
    path = tmp_path / "a" / "b" / "not-yet-made"
    path.parent.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    assert not user.reachable(path, SOMEBODY)
    assert user.reachable(path, None)
    assert user.reachable(Path("/not-yet-made/x"), SOMEBODY)


def test_files_of_a_strict_umask_become_readable(tmp_path: Path) -> None:
    """Folders can be entered, programs run, the rest read; links are left alone."""
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True, mode=0o700)
    for name, mode in (("bin/java", 0o700), ("bin/data", 0o600)):
        (tree / name).touch()
        (tree / name).chmod(mode)
    (tree / "link").symlink_to("nowhere")
    user.let_read(tree)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tree / "bin", *(tree / "bin").iterdir())}
    assert modes == {"bin": 0o755, "java": 0o755, "data": 0o644}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root can give files away")
def test_a_tree_is_given_with_all_it_holds(tmp_path: Path) -> None:
    """Also what was added after the folder itself changed hands."""
    outside = tmp_path / "outside"
    outside.touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    user.give(tree, SOMEBODY)
    (tree / "later").touch()
    (tree / "link").symlink_to(outside)
    user.give(tree, SOMEBODY)
    assert {(tree / name).lstat().st_uid for name in ("", "later", "link")} == {4321}
    assert outside.stat().st_uid == 0
