"""What is given as a bundle is a regular file of a bundle's size, or is refused at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tachograph.cli.bundle_file import read_bundle_file
from tachograph.cli.errors import WrongUse
from tachograph.forensics.bundle.archive import MAX_BUNDLE_BYTES


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Through a link too; what is in it is for others to judge."""
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("a")
    assert read_bundle_file(tmp_path / "a") == read_bundle_file(tmp_path / "link") == b"1234"


def test_one_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    """Of a sparse file of a bundle's greatest size and one byte, nothing is in memory."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)
    assert read_bundle_file(tmp_path / "big") is None


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    """Waiting for its end would be waiting for ever."""
    os.mkfifo(tmp_path / "pipe.tacho")
    with pytest.raises(WrongUse, match="expected a regular file"):
        read_bundle_file(tmp_path / "pipe.tacho")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(path: str) -> None:
    """One has no end, the other nothing."""
    with pytest.raises(WrongUse, match="expected a regular file"):
        read_bundle_file(Path(path))


def test_what_is_not_there_or_a_folder_is_said(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(WrongUse, match="no-such: cannot be read"):
        read_bundle_file(tmp_path / "no-such")
    with pytest.raises(WrongUse, match="expected a regular file"):
        read_bundle_file(tmp_path)
