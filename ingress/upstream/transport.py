"""The pool as an `httpx` transport: ordinary httpx clients over our own connections.

The data plane uses the pool directly. Time-outs are httpx's own, read from the request's extensions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from tachograph.ingress.errors import (
    TargetError,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnresolved,
)
from tachograph.ingress.http.fields import end_to_end
from tachograph.ingress.http.responses import ReceivedHead, ResponseParser
from tachograph.ingress.http.serialize import LAST_CHUNK, chunk, request_head
from tachograph.ingress.recording.wakeup import Wakeup
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.pool import UpstreamPool, idle_seconds

__all__ = ["PoolTransport"]

MAX_PIECE_BYTES = 256 << 10
DEFAULT_SECONDS = 30.0
_ERRORS: dict[type[TargetError], type[httpx.TransportError]] = {
    UpstreamRefused: httpx.ConnectError,
    UpstreamUnresolved: httpx.ConnectError,
    UpstreamTls: httpx.ConnectError,
    UpstreamTimeout: httpx.ReadTimeout,
    UpstreamGarbage: httpx.RemoteProtocolError,
}


class PoolTransport(httpx.AsyncBaseTransport):
    """Sends every request to one pool's target. Requests for another host are refused, not sent there."""

    def __init__(self, pool: UpstreamPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = self._pool.target
        scheme = "https" if target.tls else "http"
        if (request.url.scheme, request.url.netloc.decode("ascii")) != (scheme, target.authority):
            raise httpx.UnsupportedProtocol(f"this transport reaches {scheme}://{target.authority} only")
        try:
            return await self._exchange(request)
        except TargetError as error:
            raise _ERRORS.get(type(error), httpx.RemoteProtocolError)(error.detail, request=request) from None

    async def aclose(self) -> None:
        self._pool.close()

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        seconds: Mapping[str, float | None] = request.extensions.get("timeout", {})
        connection = await self._pool.acquire()
        stream = _Stream(self._pool, connection, request.method, read=seconds.get("read"))
        try:
            await stream.send(request)
            head = await stream.head()
        except BaseException:
            await stream.aclose()
            raise
        return httpx.Response(
            head.status,
            headers=list(end_to_end(head.headers, head.control)),
            stream=stream,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": head.reason.encode("latin-1")},
        )


class _Stream(httpx.AsyncByteStream):
    """One exchange; gives the connection back when it is closed."""

    def __init__(
        self, pool: UpstreamPool, connection: UpstreamConnection, method: str, *, read: float | None
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._wakeup = Wakeup(asyncio.get_running_loop())
        self._response: ResponseParser = connection.begin(method, self._wakeup.set)
        self._read = DEFAULT_SECONDS if read is None else read
        self._idle = 0.0
        self._closed = False

    async def send(self, request: httpx.Request) -> None:
        target = request.url.raw_path.decode("ascii")
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        self._connection.write(request_head(request.method, target, fields))
        chunked = "transfer-encoding" in request.headers
        stream: Any = request.stream
        async for piece in stream:
            if piece:
                self._connection.write(chunk(piece) if chunked else piece)
                await self._until(lambda: not self._connection.write_paused)
        if chunked:
            self._connection.write(LAST_CHUNK)

    async def head(self) -> ReceivedHead:
        await self._until(lambda: self._response.head is not None)
        head = self._response.head
        if head is None:
            raise UpstreamGarbage("no response head")
        self._idle = idle_seconds(head.headers)
        return head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._response.body.exhausted:
            try:
                await self._until(lambda: self._response.body.size > 0 or self._response.complete)
            except UpstreamTimeout as error:
                raise httpx.ReadTimeout(error.detail) from None
            except TargetError as error:
                raise httpx.RemoteProtocolError(error.detail) from None
            if data := self._connection.take(MAX_PIECE_BYTES):
                yield data

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._wakeup.close()
            self._pool.release(self._connection, idle=self._idle, clean=True)

    async def _until(self, holds: Callable[[], bool]) -> None:
        until = self._wakeup.now() + self._read
        while not holds():
            if (trouble := self._connection.trouble) is not None:
                raise trouble
            if not await self._wakeup.wait(until):
                raise UpstreamTimeout(f"silent for {self._read:g} s")
