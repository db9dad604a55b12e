"""Connections to one target, last in first out: constant work a request, and the surplus ages out.

An idle connection is given up before the target is likely to do so, because a request that is not safe to
repeat cannot be sent again once a race with the target's close was lost.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable

from tachograph.ingress.errors import UpstreamRefused, UpstreamTimeout, UpstreamTls, UpstreamUnresolved
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.target import Target
from tachograph.schemas.payload import HeaderField

__all__ = ["DEFAULT_IDLE_SECONDS", "MAX_IDLE", "UpstreamPool", "idle_seconds"]

MAX_IDLE = 256
DEFAULT_IDLE_SECONDS = 4.0
"""Common servers close after five."""
MAX_IDLE_SECONDS = 60.0
SWEEP_SECONDS = 5.0
_TIMEOUT = re.compile(r"timeout\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


def idle_seconds(headers: tuple[HeaderField, ...]) -> float:
    """How long a connection may lie idle by the response's `Keep-Alive: timeout=N`, a second kept in hand."""
    for name, value in headers:
        if name.lower() == "keep-alive" and (match := _TIMEOUT.search(value)):
            return max(0.0, min(float(match[1]) - 1.0, MAX_IDLE_SECONDS))
    return DEFAULT_IDLE_SECONDS


class UpstreamPool:
    """Opens, keeps and closes connections to one target: one for each exchange under way, few idle."""

    def __init__(
        self,
        target: Target,
        *,
        context: Callable[[], ssl.SSLContext] | None,
        server_name: str | None = None,
        connect_timeout: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.target = target
        self._context = context
        self._server_name = server_name or target.host
        self._connect_timeout = connect_timeout
        self._loop = loop
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._retired = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def open(self) -> int:
        return len(self._open)

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection for one exchange, kept or new; `fresh` asks for a new one. Raises `TargetError`."""
        now = self._loop.time()
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.usable and connection.idle_until > now:
                return connection
            connection.close()
        return await self._connect()

    def release(self, connection: UpstreamConnection, *, idle: float, clean: bool) -> None:
        """Give back; kept for `idle` seconds if the exchange was `clean` and the upstream keeps it open."""
        reusable = connection.finish()
        if not (clean and reusable and idle > 0 and len(self._idle) < MAX_IDLE) or self._retired:
            connection.close()
            return
        connection.idle_until = self._loop.time() + idle
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def retire(self) -> None:
        """Keep nothing any more: what is idle is closed now, what is in use when its exchange ends."""
        self._retired = True
        for connection in tuple(self._idle):
            connection.close()
        self._idle.clear()

    def close(self) -> None:
        """Close everything, exchanges under way too."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()

    async def _connect(self) -> UpstreamConnection:
        target = self.target
        where = f"{target.host}:{target.port}"
        context = self._context() if self._context is not None else None
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self._lost),
                    target.host,
                    target.port,
                    ssl=context,
                    server_hostname=self._server_name if context is not None else None,
                )
        except TimeoutError:
            raise UpstreamTimeout(f"no connection to {where} within {self._connect_timeout:g} s") from None
        except socket.gaierror:
            raise UpstreamUnresolved(f"the host name {target.host} has no address") from None
        except ssl.SSLCertVerificationError as error:
            raise UpstreamTls(
                f"the certificate of {where} was not accepted: {error.verify_message}"
            ) from None
        except ssl.SSLError as error:
            raise UpstreamTls(f"no TLS connection to {where}: {error.reason or 'handshake failed'}") from None
        except OSError as error:
            raise UpstreamRefused(f"no connection to {where}: {_errno_words(error)}") from None
        self._open.add(connection)
        return connection

    def _lost(self, connection: UpstreamConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _sweep(self) -> None:
        now = self._loop.time()
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._idle else None
        for connection in [item for item in self._idle if item.idle_until <= now]:
            self._idle.remove(connection)
            connection.close()


def _errno_words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    return error.strerror or "not reachable"
