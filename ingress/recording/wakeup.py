"""One coroutine waits, many callbacks wake it. The waiter polls the state around it; no event carries data.

A single lazily re-armed timer serves all bounds, so a bound costs nothing while bytes keep coming.
"""

from __future__ import annotations

import asyncio
import math

__all__ = ["Wakeup"]


class Wakeup:
    """Not for several waiters, and not across threads."""

    __slots__ = ("_armed_for", "_loop", "_timer", "_until", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = math.inf
        self._until = math.inf

    def set(self) -> None:
        """Wake the waiter, if there is one."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(True)

    def now(self) -> float:
        return self._loop.time()

    async def wait(self, until: float) -> bool:
        """Sleep until `set()`, or until loop time `until`; False if it was the time."""
        self._until = until
        if until < self._armed_for:
            self._arm(until)
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None
            self._until = math.inf

    def close(self) -> None:
        """Drop the timer; a waiter is woken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._armed_for = math.inf
        self.set()

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = when
        self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._armed_for = math.inf
        if self._until == math.inf:
            return
        if self._loop.time() < self._until:
            self._arm(self._until)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)
