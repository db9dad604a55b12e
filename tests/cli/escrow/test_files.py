"""Files with secrets are new, whole, and their owner's."""

from pathlib import Path

import pytest

from tachograph.cli.errors import WrongUse
from tachograph.cli.escrow.files import new_file, read_file, write_new


def test_a_file_is_made_for_its_owner_and_never_replaced(tmp_path: Path) -> None:
    """Not even through a link that leads elsewhere."""
    file, link = tmp_path / "new", tmp_path / "link"
    write_new(file, b"x")
    link.symlink_to(tmp_path / "elsewhere")
    assert file.stat().st_mode & 0o777 == 0o600
    for path in (file, link, tmp_path / "no" / "folder"):
        with pytest.raises(WrongUse):
            write_new(path, b"y")
    assert file.read_bytes() == b"x"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_is_judged_before_the_work(tmp_path: Path) -> None:
    """None is no place, and good."""
    new_file(None)
    new_file(tmp_path / "new")
    for path in (tmp_path, tmp_path / "no" / "folder"):
        with pytest.raises(WrongUse):
            new_file(path)


def test_reading_is_bounded(tmp_path: Path) -> None:
    """And what is not there is said."""
    (tmp_path / "a").write_bytes(b"1234")
    assert read_file(tmp_path / "a", most=4) == b"1234"
    for path, most in ((tmp_path / "a", 3), (tmp_path / "b", 3)):
        with pytest.raises(WrongUse):
            read_file(path, most=most)
