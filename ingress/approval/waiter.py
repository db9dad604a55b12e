"""One exchange that waits: for an event of its own to be read back, or for its approval to change.

It costs a future and a few words. A timer that all share looks at it: who left, whose time is up, who wants a
sign of life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tachograph.ingress.admission import KEEPALIVE_SECONDS
from tachograph.ingress.errors import ClientGone

__all__ = ["MAX_SIGNS", "Waiter"]

MAX_SIGNS = 4
"""Signs of life for one request; the sixth interim response is an error to Go's client, and one may be taken
by `Expect: 100-continue`. A client that gives up after them joins again by sending the same."""


class Waiter:
    """For the event loop. `until` is the monotonic time at which it wakes at the latest, within a tick."""

    __slots__ = ("_gone", "_signs", "alive", "future", "next_alive", "until")

    def __init__(self, alive: Callable[[], None], gone: Callable[[], bool], *, now: float) -> None:
        self.alive = alive
        self._gone = gone
        self.next_alive = now + KEEPALIVE_SECONDS
        self._signs = 0
        self.until = now
        self.future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let it look at the log again, if it sleeps."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)

    def look(self, now: float) -> None:
        """Wake if the client left or the time is up; give it a sign of life when one is due."""
        if now >= self.until or self._gone():
            self.wake()
        elif now >= self.next_alive and self._signs < MAX_SIGNS:
            self.next_alive = now + KEEPALIVE_SECONDS
            self._signs += 1
            self.alive()

    def check(self) -> None:
        """Raises `ClientGone`."""
        if self._gone():
            raise ClientGone("the client left while its request waited for an approval")
