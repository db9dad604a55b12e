"""A witness remembers over a restart, and does not go on with a memory that is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.witness.judgement import Known
from tachograph.forensics.witness.memory import Memory
from tachograph.schemas.checkpoint import Checkpoint

LATEST = Checkpoint("log/0", 3, bytes(32))


def test_what_was_kept_is_known_after_a_restart(tmp_path: Path) -> None:
    """The last of each log, and no other file beside it."""
    memory = Memory(tmp_path)
    memory.keep(Checkpoint("log/0", 1, bytes(32)))
    memory.keep(LATEST)
    memory.keep(Checkpoint("log/1", 7, bytes(32)))
    assert (
        Memory(tmp_path).known
        == memory.known
        == {
            "log/0": Known(3, bytes(32)),
            "log/1": Known(7, bytes(32)),
        }
    )
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("data", [b"", b"log/0\n", b"\xff\xfe", b"log/0\n3\nAAAA\n"])
def test_a_damaged_memory_stops_the_witness(tmp_path: Path, data: bytes) -> None:
    """It would cosign a fork otherwise."""
    Memory(tmp_path).keep(LATEST)
    next(iter(tmp_path.iterdir())).write_bytes(data)
    with pytest.raises(OperatorError, match="damaged"):
        Memory(tmp_path)


def test_a_file_under_another_name_stops_the_witness(tmp_path: Path) -> None:
    """Somebody put one log's memory in another's place."""
    memory = Memory(tmp_path)
    memory.keep(LATEST)
    path = next(iter(tmp_path.iterdir()))
    path.rename(path.with_name("0" * 64 + ".checkpoint"))
    with pytest.raises(OperatorError, match="another log"):
        Memory(tmp_path)


def test_a_folder_that_cannot_be_used_is_the_operators(tmp_path: Path) -> None:
    """Named, with the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="cannot be used"):
        Memory(tmp_path / "file")
