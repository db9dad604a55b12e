"""What operators ask a worker: /healthz (is it alive), /readyz (would it take a request), /metrics.

Served on an address of its own, never beside the agents'. Nothing here needs an identity, so nothing here
says more than counts and states.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from tachograph.ingress.http.agent import AgentConnection, AgentLimits, Agents
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.serialize import response_head
from tachograph.operations.answers import Readiness, answer

__all__ = ["Operations"]

_LIMITS = AgentLimits(max_connections=32, max_header_bytes=16 << 10, header_timeout=5, idle_timeout=30)


class Operations:
    """A small listener; `readiness` and `metrics` are asked at each request."""

    def __init__(self, *, readiness: Callable[[], Readiness], metrics: Callable[[], bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._readiness = readiness
        self._metrics = metrics
        self._agents = Agents(_LIMITS, self._handle, on_refused=lambda _: None)
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Serve on a bound socket."""
        self._server = await self._loop.create_server(
            lambda: AgentConnection(self._agents, self._loop), sock=sock
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._agents.drain()

    async def _handle(self, agent: AgentConnection, incoming: IncomingRequest) -> None:
        incoming.body.discard()
        status, reason, media, body = self._answer(incoming)
        agent.reusable = incoming.body.complete
        fields = [("Content-Type", media), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        if not (agent.reusable and incoming.keep_alive):
            fields.append(("Connection", "close"))
        agent.write(response_head(status, reason, fields) + (b"" if incoming.method == "HEAD" else body))

    def _answer(self, incoming: IncomingRequest) -> tuple[int, str, str, bytes]:
        if incoming.fault is not None or incoming.method not in {"GET", "HEAD"}:
            return 400, "Bad Request", "text/plain", b"expected GET\n"
        found = answer(incoming.target, self._readiness, self._metrics)
        return found.status, found.status.phrase, found.media, found.body
