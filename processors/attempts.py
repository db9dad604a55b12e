"""A mark on disk while a record is masked, so that one which ends the process cannot end it for ever.

What raises is caught where it happens. What cannot be caught (the kernel takes the process for its memory, a
library crashes, a call holds the interpreter and does not return) leaves the mark behind, and the next
process knows which record it was. A record is tried whole, then without its body, then it goes to the dead
letter (ADR 0018). The mark is written into the page cache: it outlives the process, and that is its use.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NewType

import orjson
import structlog

from tachograph.processors.lanes import Place

__all__ = ["BARE_TRIES", "HANG_S", "KILLED", "WHOLE_TRIES", "Attempts", "Deaths"]

KILLED = "masker-killed"
"""Why the body of a record that ends processes is withheld."""
WHOLE_TRIES = 2
"""A process may end by chance in the middle of a record; twice in the same one is the record's doing."""
BARE_TRIES = 1
"""... without its body."""
HANG_S = 90.0
"""Three times what the masker allows a record by its own clock; then the process is ended from outside."""
MAX_REMEMBERED = 1_000
"""Records that ended a process; what is read again after a crash is told alike for as long."""
_MARK_BYTES = 512

Deaths = NewType("Deaths", int)
"""How many processes ended in the middle of one record."""

_log = structlog.get_logger(__name__)


class Attempts:
    """The record in hand of one worker, and those that its predecessors in the same slot did not survive."""

    def __init__(self, directory: Path, *, slot: int, hang_s: float = HANG_S) -> None:
        self._path = directory / f"attempts-{slot}.json"
        self._hang_s = hang_s
        self._deaths = _read(self._path)
        self._mark = os.open(directory / f"in-hand-{slot}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._blame(os.pread(self._mark, _MARK_BYTES, 0).decode("ascii", "replace").strip("\0 "))

    def deaths(self, place: Place, offset: int) -> Deaths:
        """How many processes ended in this record."""
        return Deaths(self._deaths.get(_name(place, offset), 0))

    @contextmanager
    def at(self, place: Place, offset: int) -> Iterator[None]:
        """Mark the record while the block runs; the process is ended where that takes `hang_s`.

        The bound is the kernel's timer, whose signal needs no interpreter: a call that holds it is ended too.
        """
        os.pwrite(self._mark, _name(place, offset).encode().ljust(_MARK_BYTES), 0)
        signal.setitimer(signal.ITIMER_REAL, self._hang_s)
        try:
            yield
        finally:
            self.pardon()

    def pardon(self) -> None:
        """Whatever ends the process from here on, it is not the record."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.pwrite(self._mark, b" " * _MARK_BYTES, 0)

    def close(self) -> None:
        os.close(self._mark)

    def _blame(self, name: str) -> None:
        if not name:
            return
        deaths = self._deaths.pop(name, 0) + 1
        self._deaths = {**dict(list(self._deaths.items())[-MAX_REMEMBERED + 1 :]), name: deaths}
        _write(self._path, self._deaths)
        os.pwrite(self._mark, b" " * _MARK_BYTES, 0)
        _log.error("a process ended while it masked this record", record=name, deaths=deaths)


def _name(place: Place, offset: int) -> str:
    return f"{place.topic}/{place.partition}/{offset}"


def _read(path: Path) -> dict[str, int]:
    try:
        return {str(name): int(deaths) for name, deaths in orjson.loads(path.read_bytes()).items()}
    except (OSError, orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return {}  # none, or one that a full disk cut off


def _write(path: Path, deaths: Mapping[str, int]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(orjson.dumps(deaths))
    temporary.replace(path)
