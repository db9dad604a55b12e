"""What is given by name is read whole, from a pipe too, and never waited for without an end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli import patient_file, settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.escrow.files import read_file
from tachograph.cli.evidence import witness
from tachograph.cli.evidence.trusted import read_policy
from tachograph.cli.patient_file import read_at_most
from tachograph.cli.replay.command import _values


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_file_and_a_pipe_are_read_whole(size: int, pipe: Path) -> None:
    """However much a pipe holds at once."""
    content = b"x" * size
    (pipe.parent / "file").write_bytes(content)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert read_at_most(pipe.parent / "file", 100_000) == content
    assert read_at_most(pipe, 100_000) == content
    writer.join()


def test_reading_ends_at_the_bound(tmp_path: Path) -> None:
    """Also where there is no end."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_at_most(tmp_path / "file", 4) == b"1234"
    assert read_at_most(Path("/dev/zero"), 10) == bytes(10)


def test_what_cannot_be_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    """A folder, and nothing."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=r"Is a directory|No such file"):
            read_at_most(path, 10)


@pytest.mark.parametrize(
    "reading",
    [read_policy, settings.load, witness._load, _values, lambda path: read_file(path, most=10)],
    ids=["trust", "configuration", "witness", "values", "proof"],
)
def test_a_pipe_that_nobody_writes_to_is_given_up(
    reading: Callable[[Path], Any], pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was given as; and it is said."""
    monkeypatch.setattr(patient_file, "SILENCE_SECONDS", 0.02)
    with pytest.raises(WrongUse, match="nobody wrote to it"):
        reading(pipe)
