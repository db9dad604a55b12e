"""Whether this worker gets records through: what it last saw of Kafka and of its own progress; no I/O.

Alive is not ready. A worker is ready while it is in its group, Kafka answers, and records that wait are being
finished. One without a partition is a stand-by, and ready to take over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from tachograph.operations.answers import Readiness

__all__ = ["STUCK_S", "Vitals", "Watch"]

STUCK_S = 30.0
"""Longer than this without progress while records wait, or without a look at oneself, is not ready."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at the worker."""

    partitions: int | None
    """Assigned to it; None before it is in its group."""
    waiting: int
    """Raw records not yet done, and messages not yet acknowledged."""
    progress: Hashable
    """Equal to the one before where nothing was finished in between."""
    reachable: bool
    """Whether Kafka answered."""
    stopped: tuple[int, ...] = ()
    """Partitions of its own that stand still until somebody acknowledges a leak."""


class Watch:
    """Remembers the last look; asked from another thread. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._vitals: Vitals | None = None
        self._looked = self._moved = clock()

    def observe(self, vitals: Vitals) -> None:
        """Take note of one look at the worker."""
        now = self._clock()
        before = self._vitals
        if before is None or not before.waiting or vitals.progress != before.progress:
            self._moved = now
        self._vitals, self._looked = vitals, now

    def readiness(self) -> Readiness:
        """What to tell now."""
        vitals, now = self._vitals, self._clock()
        if vitals is None:
            return Readiness("starting: Kafka, its topics or the keys are awaited", {})
        details: dict[str, object] = {
            "partitions": vitals.partitions or 0,
            "kafka": "answers" if vitals.reachable else "does not answer",
            "waiting": vitals.waiting,
            "stopped": list(vitals.stopped),
            "seconds_since_progress": round(now - self._moved, 1) if vitals.waiting else 0.0,
        }
        return Readiness(self._refusing(vitals, now), details)

    def _refusing(self, vitals: Vitals, now: float) -> str:
        if now - self._looked > STUCK_S:
            return f"the worker has not looked after itself for {now - self._looked:.0f} s"
        if not vitals.reachable:
            return "Kafka does not answer"
        if vitals.partitions is None:
            return "not yet in the consumer group"
        if vitals.stopped:
            numbers = ", ".join(map(str, vitals.stopped))
            return (
                f"partition {numbers} stopped: a canary could be read behind the masker; tacho canary stops"
            )
        if vitals.waiting and now - self._moved > STUCK_S:
            return f"{vitals.waiting} records wait and none was finished for {now - self._moved:.0f} s"
        return ""
