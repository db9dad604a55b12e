"""The chain of boots of one spool folder."""

import uuid
from pathlib import Path

import pytest

from tachograph.ingress.errors import SpoolBroken
from tachograph.ingress.spool.boots import follow

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def test_each_boot_learns_of_the_one_before(tmp_path: Path) -> None:
    """The first one of none."""
    assert [follow(tmp_path, boot) for boot in (ONE, TWO, ONE)] == [None, ONE, TWO]
    assert (tmp_path / "last-boot").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b"", b"0000", b"\xff" * 36])
def test_a_torn_note_is_nobody(tmp_path: Path, torn: bytes) -> None:
    """And is written over whole."""
    (tmp_path / "last-boot").write_bytes(torn)
    assert follow(tmp_path, ONE) is None
    assert follow(tmp_path, TWO) == ONE


def test_a_folder_that_is_not_there_is_the_operators_matter(tmp_path: Path) -> None:
    """By the room's own error."""
    with pytest.raises(SpoolBroken, match="No such file"):
        follow(tmp_path / "nowhere", ONE)
