"""The chain of boots of one spool folder."""

import os
import uuid
from pathlib import Path

import pytest

from tachograph.ingress.errors import SpoolBroken
from tachograph.ingress.spool.boots import boots_of, follow
from tachograph.ingress.spool.files import claim_directory

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


def test_a_folder_that_can_be_adopted_names_a_boot_that_is_over(tmp_path: Path) -> None:
    """Not one whose worker lives, and not a folder that no boot made."""
    gone, _ = claim_directory(tmp_path, str(ONE))
    claim_directory(tmp_path, "odd")[0].release()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "lock").touch()
    living, adopted = claim_directory(tmp_path, str(TWO))
    assert boots_of(adopted) == []
    os.close(gone.lock)  # as the kernel does for a process that was killed
    _, adopted = claim_directory(tmp_path, str(uuid.UUID(int=3)))
    assert boots_of(adopted) == [ONE]
    living.release()
