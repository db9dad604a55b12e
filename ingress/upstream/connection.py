"""One connection to an upstream: a request goes out, a response comes in, back-pressure both ways.

The only file that reads and writes upstream sockets. Its user polls `response` and `trouble`, and is woken
whenever either may have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from tachograph.ingress.errors import TargetError, UpstreamReset
from tachograph.ingress.http.responses import ResponseParser

__all__ = ["UpstreamConnection"]

READ_HIGH_BYTES = 512 << 10
READ_LOW_BYTES = 128 << 10
WRITE_HIGH_BYTES = 256 << 10
WRITE_LOW_BYTES = 64 << 10


def _nobody() -> None:
    return None


class UpstreamConnection(asyncio.Protocol):
    """Carries one exchange at a time; `idle` between them."""

    def __init__(self, on_lost: Callable[[UpstreamConnection], None]) -> None:
        self.response: ResponseParser | None = None
        self.lost = False
        self.write_paused = False
        self.served = 0
        """How many responses it has carried to their end."""
        self.idle_until = 0.0
        self._on_lost = on_lost
        self._wake: Callable[[], None] = _nobody
        self._transport: asyncio.Transport | None = None
        self._read_paused = False

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)

    def data_received(self, data: bytes) -> None:
        response = self.response
        if response is None:
            self.close()  # nobody asked: whatever it is, it answers no request of ours
            return
        response.feed(data)
        if response.body.size > READ_HIGH_BYTES and not self._read_paused:
            self._pause()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.write_paused = False
        if self.response is not None and exc is None:
            self.response.eof()
        self._on_lost(self)
        self._wake()

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self._wake()

    # --- for its user ---

    @property
    def trouble(self) -> TargetError | None:
        """Why no more will come of the response, once what lies in its buffer was taken."""
        response = self.response
        if response is not None and response.fault is not None:
            return response.fault
        if self.lost and (response is None or not response.complete):
            started = response is not None and response.started
            return UpstreamReset(
                "the target closed the connection in the middle of its response"
                if started
                else "the target closed the connection without an answer"
            )
        return None

    @property
    def usable(self) -> bool:
        return not (self.lost or self._transport is None or self._transport.is_closing())

    def begin(self, method: str, wake: Callable[[], None]) -> ResponseParser:
        """Start an exchange; `wake` is called on every sign of life."""
        self.response = ResponseParser(method)
        self._wake = wake
        return self.response

    def write(self, data: bytes) -> None:
        """Send; after the connection was lost this does nothing, see `trouble`."""
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes of the response's body."""
        if self.response is None:
            return b""
        data = self.response.body.take(limit)
        if self._read_paused and self.response.body.size < READ_LOW_BYTES:
            self._resume()
        return data

    def finish(self) -> bool:
        """End the exchange; returns whether the connection may carry another one."""
        response, self.response = self.response, None
        if response is not None:
            response.close()
        self._wake = _nobody
        self.served += 1
        return self.usable and response is not None and response.complete and response.reusable

    def close(self) -> None:
        """Leave at once: what was not sent is not sent, and the upstream notices."""
        self._wake = _nobody
        self.response = None
        if self._transport is not None:
            self._transport.abort()

    def _pause(self) -> None:
        if self.usable and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._read_paused = False
        if self.usable and self._transport is not None:
            self._transport.resume_reading()
