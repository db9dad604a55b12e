"""One stable name for each worker process of this machine, so that a restart takes its predecessor's place.

Kafka gives a static member its partitions back at once; without one, a kill blocks the group until the
session times out. The lock dies with its process, however it dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from pathlib import Path

from tachograph.processors.errors import OperatorError

__all__ = ["MAX_SLOTS", "Slot"]

MAX_SLOTS = 64
"""Processes that may share one data directory."""


class Slot:
    """The first free place in a data directory, held until `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(MAX_SLOTS):
            descriptor = os.open(
                directory / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                continue
            self._descriptor = descriptor
            self.number = number
            self.directory = directory
            return
        raise OperatorError(
            f"{directory}: {MAX_SLOTS} workers use it already; give this one another data_dir"
        )

    @property
    def instance_id(self) -> str:
        """Kafka's `group.instance.id`: the same for the same place on the same machine."""
        place = f"{socket.gethostname()}\0{self.directory.resolve()}"
        return f"tacho-{hashlib.sha256(place.encode()).hexdigest()[:16]}-{self.number}"

    def release(self) -> None:
        os.close(self._descriptor)
