"""The agent's side of the wire: one connection, its requests one after the other, back-pressure both ways.

The only file that does I/O towards agents. What happens to a request is the handler's business; this file
bounds what a peer can cost: bytes buffered, time in a head, time idle, time spent on its leftovers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tachograph.ingress.errors import ClientGone, ClientTimeout, IngressError, TooManyConnections
from tachograph.ingress.faults import log_fault
from tachograph.ingress.http.requests import IncomingRequest, RequestParser
from tachograph.ingress.http.serialize import response_head
from tachograph.ingress.recording.wakeup import Wakeup
from tachograph.ingress.refusals import refuse

__all__ = ["AgentConnection", "AgentLimits", "Agents", "Handler"]

READ_HIGH_BYTES = 512 << 10
"""Above it a connection is not read from until its request was forwarded."""
READ_LOW_BYTES = 256 << 10
"""Not below the size of a recorded piece, else a reader would wait for a piece that cannot come."""
WRITE_HIGH_BYTES = 256 << 10
WRITE_LOW_BYTES = 64 << 10
MAX_PIPELINED = 16
LINGER_SECONDS = 2.0
CLOSE_SECONDS = 5.0
"""How long a peer may take to read what is left after we have closed."""
LINGER_BYTES = 4 << 20
"""What is read and thrown away so that a peer that still sends can read our refusal."""
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close() sends RST


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """Bounds of the agent's side; seconds and bytes."""

    max_connections: int
    max_header_bytes: int
    header_timeout: float
    idle_timeout: float


Handler = Callable[["AgentConnection", IncomingRequest], Awaitable[None]]


@dataclass(slots=True)
class Agents:
    """What all connections of one listener share."""

    limits: AgentLimits
    handler: Handler
    on_refused: Callable[[IngressError], None]
    """Told of each refusal that no handler saw: not HTTP, too slow, or one connection too many."""
    connections: set[AgentConnection] = field(default_factory=set)
    """Those whose task has not ended, so that no record is left open behind them."""
    draining: bool = False
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once draining has left no connection."""

    def drain(self) -> None:
        """Take no further request on any connection; requests under way go on."""
        self.draining = True
        for connection in self.connections:
            connection.wakeup.set()
        self.discard(None)

    def discard(self, connection: AgentConnection | None) -> None:
        """Forget a connection."""
        if connection is not None:
            self.connections.discard(connection)
        if self.draining and not self.connections:
            self.emptied.set()


class AgentConnection(asyncio.Protocol):
    """One connection from an agent. Public methods are for the handler of its current request."""

    def __init__(self, agents: Agents, loop: asyncio.AbstractEventLoop) -> None:
        self.wakeup = Wakeup(loop)
        self.gone = False
        """The agent left: nothing that is written arrives."""
        self.peer = ""
        self.certificate: Mapping[str, Any] | None = None
        """The agent's own certificate, verified by TLS, as `ssl.SSLSocket.getpeercert` tells it."""
        self.reusable = True
        """The handler clears it when the next byte of this connection has no meaning any more."""
        self._agents = agents
        self._loop = loop
        self._lost = False
        self._parser = RequestParser(max_head_bytes=agents.limits.max_header_bytes)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._read_paused = False
        self._write_paused = False
        self._discarding: int | None = None
        self._closing: asyncio.TimerHandle | None = None

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        self.certificate = transport.get_extra_info("peercert") or None
        if len(self._agents.connections) >= self._agents.limits.max_connections:
            self._turn_away(TooManyConnections("all connections of this gateway are in use"))
            return
        self._agents.connections.add(self)
        self._writer().set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self._task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        if self._discarding is not None:
            self._discarding -= len(data)
        else:
            self._parser.feed(data)
            self._throttle()
        self.wakeup.set()

    def eof_received(self) -> bool:
        # A client that only shuts down its sending side looks the same as one that closed; both have left.
        self.gone = True
        self.wakeup.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.gone = True
        self._write_paused = False
        self._lost = True
        if self._closing is not None:
            self._closing.cancel()
        if self._task is not None and self._task.done():
            self._agents.discard(self)
        self.wakeup.set()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self.wakeup.set()

    # --- for the handler ---

    @property
    def draining(self) -> bool:
        return self._agents.draining

    def write(self, data: bytes) -> None:
        """Send; bytes to an agent that left are dropped."""
        if not self.gone:
            self._writer().write(data)

    async def drain(self, seconds: float) -> None:
        """Wait until the agent has read most of what was written, at most `seconds`."""
        until = self.wakeup.now() + seconds if self._write_paused else 0.0
        while self._congested():
            if not await self.wakeup.wait(until):
                raise ClientTimeout(f"the client read nothing for {seconds:g} s")
        if self.gone:
            raise ClientGone("the client left while the response was being sent")

    def _congested(self) -> bool:
        return self._write_paused and not self.gone

    def relieve(self) -> None:
        """Read on if reading had been paused; to be called after bytes of a body were taken."""
        if not self._read_paused or self.gone or self._full(READ_LOW_BYTES):
            return
        self._read_paused = False
        self._writer().resume_reading()

    def cut(self, *, reset: bool) -> None:
        """End the connection so that the agent cannot take the response for whole.

        What was written still arrives; with `reset`, for a body that only the connection's end delimits,
        the end is an error on the agent's side.
        """
        self.reusable = False
        if self.gone:
            return
        if not reset:
            self._close()
            return
        sock = self._writer().get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer().abort()

    def stop(self) -> None:
        """Cancel whatever is under way; for a shutdown that has waited long enough."""
        if self._task is not None:
            self._task.cancel()

    # --- ours ---

    async def _serve(self) -> None:
        try:
            while (request := await self._next_request()) is not None:
                await self._agents.handler(self, request)
                self._parser.requests.popleft()
                if not (self.reusable and request.keep_alive and request.body.exhausted):
                    await self._part(request)
                    return
                self.relieve()
        except Exception as error:  # noqa: BLE001 - one connection's defect must not end the worker
            log_fault("agent_connection_failed", error)
        finally:
            self.wakeup.close()
            self._close()

    async def _next_request(self) -> IncomingRequest | None:
        limits = self._agents.limits
        idle_until = self.wakeup.now() + limits.idle_timeout
        head_until: float | None = None
        while not self._parser.requests:
            if self._parser.fault is not None:
                self._turn_away(self._parser.fault)
                await self._linger()
                return None
            if self.gone or (self._agents.draining and not self._parser.in_head):
                return None
            if head_until is None and self._parser.in_head:
                head_until = self.wakeup.now() + limits.header_timeout
            if not await self.wakeup.wait(head_until or idle_until):
                if head_until is not None:
                    self._turn_away(
                        ClientTimeout(f"expected a whole head within {limits.header_timeout:g} s")
                    )
                return None
        return self._parser.requests[0]

    def _turn_away(self, error: IngressError) -> None:
        refusal = refuse(error, protocol=None)
        self._agents.on_refused(error)
        headers = (*refusal.headers, ("Connection", "close"))
        self.write(response_head(refusal.status, refusal.reason, headers) + refusal.body)
        if self._task is None:
            self._close()

    async def _part(self, request: IncomingRequest) -> None:
        """Close; if the agent still sends, read some of it, else TCP would take our answer back from it."""
        if not request.body.complete and not self.gone and not self._writer().is_closing():
            await self._linger()

    async def _linger(self) -> None:
        self._discarding = LINGER_BYTES
        if self._read_paused and not self.gone:
            self._read_paused = False
            self._writer().resume_reading()
        if not self.gone and self._writer().can_write_eof():
            self._writer().write_eof()
        until = self.wakeup.now() + LINGER_SECONDS
        while not self.gone and self._discarding > 0:
            if not await self.wakeup.wait(until):
                return

    def _close(self) -> None:
        """Send what is left, then close; whoever does not read it does not hold the connection for ever."""
        if self._lost:
            self._agents.discard(self)
        elif self._closing is None:
            self._writer().close()
            self._closing = self._loop.call_later(CLOSE_SECONDS, self._writer().abort)

    def _throttle(self) -> None:
        if not self._read_paused and self._full(READ_HIGH_BYTES) and not self._writer().is_closing():
            self._read_paused = True
            self._writer().pause_reading()

    def _full(self, limit: int) -> bool:
        requests = self._parser.requests
        return bool(requests) and (requests[-1].body.size > limit or len(requests) > MAX_PIPELINED)

    def _writer(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("used before the connection was made")
        return self._transport
