"""The registry that was in force last, on disk, as signed as on the topic: to start with while Kafka is away.

It also remembers the version, so that an older release played again on the topic is known for what it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog

from tachograph.schemas.control import CURRENT, ControlBook, ControlKey, Release
from tachograph.schemas.errors import RecordError

__all__ = ["CopyFile"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CopyFile:
    """Several workers share one; each writes it whole."""

    path: Path
    key: ControlKey

    def read_into(self, book: ControlBook) -> None:
        """Put it into the book; one that is damaged or not ours is left, and logged."""
        try:
            fields = orjson.loads(self.path.read_bytes())
            release, snapshot = str(fields["release"]).encode(), str(fields["snapshot"]).encode()
            digest = Release.decode(self.key.open(CURRENT, release)).digest
            book.put(digest, snapshot)
            book.put(CURRENT, release)
        except FileNotFoundError:
            return
        except (OSError, KeyError, TypeError, orjson.JSONDecodeError, RecordError) as error:
            _log.error("registry_copy_unusable", path=str(self.path), kind=type(error).__name__)

    def write(self, release: Release, snapshot: bytes) -> None:
        """Keep it; a disk that does not take it is logged, and harms nothing that runs."""
        sealed = {
            "release": self.key.seal(CURRENT, release.encode()).decode(),
            "snapshot": self.key.seal(release.digest, snapshot).decode(),
        }
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            new.touch(mode=0o600)
            new.write_bytes(orjson.dumps(sealed))
            new.replace(self.path)
        except OSError as error:
            _log.error("registry_copy_not_kept", path=str(self.path), kind=type(error).__name__)
