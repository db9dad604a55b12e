"""What operators ask a worker: /healthz (is it alive), /readyz (would it take a request), /metrics.

Served on an address of its own, never beside the agents'. Nothing here needs an identity, so nothing here
says more than counts and states.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from tachograph.ingress.http.agent import AgentConnection, AgentLimits, Agents
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.serialize import response_head

__all__ = ["METRICS_TYPE", "Operations", "Readiness"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIMITS = AgentLimits(max_connections=32, max_header_bytes=16 << 10, header_timeout=5, idle_timeout=30)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`refusing` is empty while requests are taken; `details` are states and counts."""

    refusing: str
    details: dict[str, object]


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
        path = incoming.target.partition("?")[0]
        if path == "/healthz":
            return 200, "OK", "text/plain", b"ok\n"
        if path == "/metrics":
            return 200, "OK", METRICS_TYPE, self._metrics()
        if path == "/readyz":
            ready = self._readiness()
            body = orjson.dumps({"ready": not ready.refusing, "refusing": ready.refusing, **ready.details})
            status, reason = (503, "Service Unavailable") if ready.refusing else (200, "OK")
            return status, reason, "application/json", body
        return 404, "Not Found", "text/plain", b"expected /healthz, /readyz or /metrics\n"
