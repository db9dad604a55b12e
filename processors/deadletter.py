"""The dead letter: a poisoned record exactly as it came; its clear facts and the reason in Kafka headers.

Too many in one window mean that this worker is wrong (a bad deployment, a wrong key file) and not the
records: then the worker stops, and the rest of the topic stays where it is. The count survives a restart,
so a supervisor that restarts us does not empty the topic by instalments. Shredded keys are lawful and do
not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from tachograph.processors.errors import DeadLetterFlood, Poisoned
from tachograph.schemas.envelope import SealedRecord

__all__ = ["DEAD_LETTERS_PER_WINDOW", "WINDOW_S", "Budget", "letter_headers"]

DEAD_LETTERS_PER_WINDOW = 100
WINDOW_S = 600.0
LAWFUL = frozenset(("key-shredded",))
_DETAIL_CHARS = 300

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the record lay."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


def letter_headers(origin: Origin, error: Poisoned, record: SealedRecord | None) -> Headers:
    """Kafka headers of a dead letter: reason, origin, and the record's clear facts where they are known."""
    headers: Headers = [
        ("reason", error.reason),
        ("detail", error.detail[:_DETAIL_CHARS]),
        ("origin-topic", origin.topic),
        ("origin-partition", str(origin.partition)),
        ("origin-offset", str(origin.offset)),
        ("origin-timestamp", str(origin.timestamp_ms)),
    ]
    if record is None:
        return headers
    header = record.header
    # Not authenticated where the seal is broken: a claim, like every header of a foreign message.
    headers += [
        ("uid", str(header.uid)),
        ("type", header.type.value),
        ("ts", header.ts),
        ("session", str(header.session)),
        ("epoch", str(header.epoch)),
        ("seq", str(header.seq)),
    ]
    if header.exchange is not None:
        headers.append(("exchange", str(header.exchange)))
    if header.connection is not None:
        headers.append(("connection", header.connection))
    return headers


class Budget:
    """Counts dead letters in windows of wall-clock time; the count lies in a file of the worker's own."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float],
        limit: int = DEAD_LETTERS_PER_WINDOW,
        window_s: float = WINDOW_S,
    ) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit
        self._window_s = window_s
        self._since, self._count = self._load()

    def spend(self, reason: str) -> None:
        """Count one dead letter before it is written; raises `DeadLetterFlood` rather than pass the limit."""
        if reason in LAWFUL:
            return
        now = self._clock()
        if not 0 <= now - self._since < self._window_s:
            self._since, self._count = now, 0
        if self._count >= self._limit:
            raise DeadLetterFlood(
                f"{self._count} dead letters in {self._window_s:.0f} s: stopped before the next ({reason})."
                " Look at the dead letter's `reason` headers; a new release or another key file is the usual"
                f" cause. Delete {self._path} to go on at once"
            )
        self._count += 1
        self._save()

    def _load(self) -> tuple[float, int]:
        try:
            state = orjson.loads(self._path.read_bytes())
            return float(state["since"]), int(state["count"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return 0.0, 0  # a window long past

    def _save(self) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(orjson.dumps({"since": self._since, "count": self._count}))
        temporary.replace(self._path)
