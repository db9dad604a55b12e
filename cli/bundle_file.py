"""A bundle's file, read whole: only a regular one, and none beyond a bundle's bound.

A pipe or a device is refused before a byte of it is waited for: its size is nobody's, and it may never end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tachograph.cli.errors import WrongUse
from tachograph.forensics.bundle.archive import MAX_BUNDLE_BYTES

__all__ = ["read_bundle_file"]

_NEVER_WAITING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""Opened so, a pipe that nobody writes to is there at once and can be told for what it is."""


def read_bundle_file(path: Path) -> bytes | None:
    """Its bytes; None where it has more than a bundle may have. Raises `WrongUse`."""
    try:
        number = os.open(path, _NEVER_WAITING)
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            os.close(number)
            raise WrongUse(f"{path}: expected a regular file; save the bundle to one first")
        with os.fdopen(number, "rb") as file:
            return file.read(MAX_BUNDLE_BYTES + 1) if about.st_size <= MAX_BUNDLE_BYTES else None
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror})") from None
