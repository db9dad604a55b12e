"""Wakes the spool's writer once for all that a round of the event loop has recorded, not once a record.

A wake-up, a sync and the way back cost more CPU than a record does, so whoever waits shares them with the
others of the same round; records that nobody waits for ride along, or go by themselves a little later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["LATER_SECONDS", "Nudge"]

LATER_SECONDS = 0.002
"""How long a record that nobody waits for may lie in memory before the writer is woken for it alone."""


class Nudge:
    """For the event loop that it was made on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._soon = False
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Somebody waits: wake the writer when the others of this round have had their turn."""
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self._go)

    def later(self) -> None:
        """Nobody waits: wake the writer within `LATER_SECONDS`."""
        if not self._soon and self._timer is None:
            self._timer = self._loop.call_later(LATER_SECONDS, self._go)

    def _go(self) -> None:
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
