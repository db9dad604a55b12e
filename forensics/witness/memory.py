"""What a witness last cosigned of each log, on a disk before it answers: a crash must not make it forget.

One file per log, replaced as a whole and synced with its folder. A witness that has lost its memory would
cosign a fork, so a file that cannot be read stops it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.witness.judgement import Known
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.errors import MalformedRecord

__all__ = ["Memory"]

MAX_FILE_BYTES = 64 << 10


class Memory:
    """The last checkpoint of each origin under one folder."""

    def __init__(self, folder: Path) -> None:
        """Raises `OperatorError` when the folder cannot be used or a file in it is damaged."""
        self._folder = folder
        self.known: dict[str, Known] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.checkpoint")):
                checkpoint = Checkpoint.parse(path.read_bytes()[:MAX_FILE_BYTES].decode())
                if path.name != _name(checkpoint.origin):
                    raise OperatorError(f"{path}: holds another log's checkpoint; restore it from a backup")
                self.known[checkpoint.origin] = Known(checkpoint.size, checkpoint.root)
        except OSError as error:
            raise OperatorError(f"{folder}: cannot be used ({error.strerror})") from None
        except (MalformedRecord, UnicodeDecodeError):
            raise OperatorError(f"{folder}: a checkpoint is damaged; restore it from a backup") from None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Remember this as the last one; durable when it returns. Raises `OSError`."""
        path = self._folder / _name(checkpoint.origin)
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(checkpoint.text())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.known[checkpoint.origin] = Known(checkpoint.size, checkpoint.root)


def _name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest() + ".checkpoint"
