"""How far a worker's records are durable: one number that only grows, and those who wait for it.

Record n is durable when everything up to n is synced to the spool, or everything up to n is acknowledged
by Kafka. It is cumulative on purpose: a record without the data key before it could never be read.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable

from tachograph.ingress.errors import RecorderFull
from tachograph.ingress.spool.files import Contiguous

__all__ = ["STUCK_SECONDS", "Durability"]

STUCK_SECONDS = 30.0
"""The longest that anybody waits for a disk that neither answers nor fails."""


class Durability:
    """`synced` and `acknowledged` come from any thread; `wait` is for the event loop it was made on."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._loop = loop
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._done = Contiguous()
        self._upto = 0
        self._woken = False
        self._waiters: list[tuple[int, int, float, asyncio.Future[None]]] = []
        self._turn = itertools.count()

    @property
    def upto(self) -> int:
        """How many records from the first are durable."""
        return self._upto

    def synced(self, count: int) -> None:
        """The first `count` records are on disk."""
        with self._lock:
            self._done.skip(count)
            self._advance(self._done.upto)

    def acknowledged(self, index: int) -> None:
        """Kafka has the record number `index`, counted from 0."""
        with self._lock:
            self._done.add(index)
            self._advance(self._done.upto)

    async def wait(self, count: int) -> None:
        """Return when the first `count` records are durable; raises `RecorderFull` when that is given up."""
        if self._upto >= count:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiters, (count, next(self._turn), self._monotonic(), future))
        if self._upto >= count:  # a thread advanced it before we stood in the queue
            self._wake()
        await future

    def fail(self, reason: str) -> None:
        """Tell everybody who waits that it will not be soon; only on the loop."""
        waiters, self._waiters = self._waiters, []
        for *_, future in waiters:
            if not future.done():
                future.set_exception(RecorderFull(reason))

    def expire(self) -> None:
        """Give up for everybody when somebody has waited for too long; only on the loop."""
        oldest = min((since for _, _, since, future in self._waiters if not future.done()), default=None)
        if oldest is not None and self._monotonic() - oldest > STUCK_SECONDS:
            self.fail(f"the spool's disk did not answer for {STUCK_SECONDS:.0f} s")

    def _advance(self, upto: int) -> None:
        if upto <= self._upto:
            return
        self._upto = upto
        if not self._woken:  # one wake-up for the whole batch
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = False
        upto = self._upto
        while self._waiters and self._waiters[0][0] <= upto:
            *_, future = heapq.heappop(self._waiters)
            if not future.done():
                future.set_result(None)
