"""Telling open pages that something has changed: server-sent events, one number each. They fetch the rest.

Without JavaScript nothing is lost: a page is as fresh as it is loaded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tachograph.console.browser import Browser
from tachograph.console.desk import Desk
from tachograph.console.errors import Away
from tachograph.console.sessions import Session, Sessions

__all__ = ["BEAT_SECONDS", "MAX_STREAMS", "Live"]

MAX_STREAMS = 256
BEAT_SECONDS = 15.0
"""How often a page that nothing changes for hears from us."""


class Live:
    """`/events`."""

    def __init__(self, desk: Desk, browser: Browser, sessions: Sessions) -> None:
        self._desk = desk
        self._browser = browser
        self._sessions = sessions
        self.open = 0
        self.closing = False

    async def events(self, request: Request) -> Response:
        session = self._browser.session(request)
        if self.open >= MAX_STREAMS:
            raise Away("Too many pages are open just now; reload to see what is new.")
        return StreamingResponse(self._stream(session), media_type="text/event-stream")

    async def _stream(self, session: Session) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            version = self._desk.version
            yield b"retry: 2000\ndata: %d\n\n" % version
            while not self.closing and self._sessions.live(session):
                before, version = version, await self._desk.changed(version, seconds=BEAT_SECONDS)
                yield b": still here\n\n" if version == before else b"data: %d\n\n" % version
        finally:
            self.open -= 1

    def close(self) -> None:
        """Let every page go; the process ends."""
        self.closing = True
        self._desk.wake()
