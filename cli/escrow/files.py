"""Files that hold a key, a share or a value: made new, for their owner alone, and read whole."""

from __future__ import annotations

import os
from pathlib import Path

from tachograph.cli.errors import WrongUse
from tachograph.cli.patient_file import read_at_most

__all__ = ["new_file", "read_file", "write_new"]

_OWNER_ONLY = 0o600


def new_file(path: Path | None) -> None:
    """Whether it may be written, before anything is done for it. Raises `WrongUse`."""
    if path is not None and (path.exists() or not path.absolute().parent.is_dir()):
        raise WrongUse(f"{path}: expected a new file in a folder that is there")


def write_new(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. Raises `WrongUse`."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WrongUse(f"{path}: cannot be made ({error.strerror}); name a new file") from None


def read_file(path: Path, *, most: int) -> bytes:
    """All of a file of at most so many bytes. Raises `WrongUse`."""
    try:
        data = read_at_most(path, most + 1)
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > most:
        raise WrongUse(f"{path}: expected at most {most} bytes")
    return data
