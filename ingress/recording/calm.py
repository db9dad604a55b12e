"""Responses that are held up because nothing can be recorded just now; none of them for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tachograph.ingress.errors import RecorderFull

__all__ = ["CALM_SECONDS", "Calm"]

CALM_SECONDS = 60.0
"""The longest that a response is held up."""


@dataclass(slots=True)
class Calm:
    """Those who wait until the recorder can take more. Only on its loop."""

    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _waiters: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)

    async def wait(self) -> None:
        """Return when more can be taken; raises `RecorderFull` when that is given up."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append((self._loop.time(), future))
        await future

    def release(self) -> None:
        """All may go on."""
        waiters, self._waiters = self._waiters, []
        for _, future in waiters:
            if not future.done():
                future.set_result(None)

    def expire(self, reason: str) -> None:
        """Who has waited for `CALM_SECONDS` is told why."""
        before, kept = self._loop.time() - CALM_SECONDS, []
        for since, future in self._waiters:
            if since >= before:
                kept.append((since, future))
            elif not future.done():
                future.set_exception(RecorderFull(reason))
        self._waiters = kept
