"""The data plane of one process: a listening socket, the relay behind it, a pool for each target."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tachograph.ingress.admission import Holder, Judge, NoApprovals
from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.errors import IngressError
from tachograph.ingress.gate import Counted
from tachograph.ingress.http.agent import AgentConnection, AgentLimits, Agents
from tachograph.ingress.identity.authenticator import Authenticator
from tachograph.ingress.listening import server_context
from tachograph.ingress.recording.recorder import Recorder
from tachograph.ingress.relay import Registered, Relay
from tachograph.ingress.routing import Routes
from tachograph.ingress.upstream.opening import open_pool
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.schemas.config import Configuration

__all__ = ["DataPlane", "Services"]

BACKLOG = 1024
HANDSHAKE_SECONDS = 10.0
"""What an agent may take for its side of TLS."""
CANCEL_SECONDS = 2.0
"""How long an exchange that was cancelled at shutdown may take to end its record."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the data plane asks and tells."""

    recorder: Recorder
    authenticator: Authenticator
    credentials: CredentialStore
    on_refused: Callable[[IngressError], None]
    """Told of each refusal that has no record, because no request could be read."""
    judge: Judge | None = None
    """None where no policy is configured."""
    holder: Holder = field(default_factory=NoApprovals)
    on_decided: Counted = lambda *_: None
    clock_ns: Callable[[], int] = time.time_ns


class DataPlane:
    """Serves agents from `start` to `stop`. Must be made on the running loop."""

    def __init__(
        self,
        config: Configuration,
        services: Services,
        *,
        base: Path,
        registered: Registered | None = None,
    ) -> None:
        """`registered` is what a registry was compiled to; without, the configuration's own connections."""
        self._loop = asyncio.get_running_loop()
        self._retired: list[UpstreamPool] = []
        self.relay = Relay(
            registered or self._own(config, services, base),
            authenticator=services.authenticator,
            holder=services.holder,
            recorder=services.recorder,
            clock_ns=services.clock_ns,
            on_decided=services.on_decided,
        )
        limits = AgentLimits(
            max_connections=config.ingress.max_connections,
            max_header_bytes=config.ingress.max_header_bytes,
            header_timeout=config.ingress.header_timeout,
            idle_timeout=config.ingress.idle_timeout,
        )
        self.agents = Agents(limits, self.relay.handle, services.on_refused)
        self._tls = server_context(config.ingress.listen.tls, base=base)
        self._server: asyncio.Server | None = None

    @property
    def pools(self) -> Mapping[str, UpstreamPool]:
        """By connection, those in force."""
        return self.relay.registered.pools

    def adopt(self, registered: Registered) -> None:
        """Serve by this from the next request on; exchanges under way end by what they began with."""
        before, self.relay.registered = self.relay.registered, registered
        kept = set(map(id, registered.pools.values()))
        gone = [pool for pool in before.pools.values() if id(pool) not in kept]
        for pool in gone:
            pool.retire()
        self._retired = [pool for pool in (*self._retired, *gone) if pool.open]

    def _own(self, config: Configuration, services: Services, base: Path) -> Registered:
        pools = {
            item.name: open_pool(item, services.credentials, base=base, loop=self._loop)
            for item in config.connections
        }
        routes = Routes(config.connections)
        return Registered(routes, pools, services.credentials, services.judge, config.policy.contact)

    async def start(self, sock: socket.socket) -> None:
        """Accept agents on a bound socket."""
        self._server = await self._loop.create_server(
            lambda: AgentConnection(self.agents, self._loop),
            sock=sock,
            backlog=BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=None if self._tls is None else HANDSHAKE_SECONDS,
        )

    async def stop(self, seconds: float) -> None:
        """Accept nobody, let exchanges under way end for `seconds`, then end them incomplete."""
        if self._server is not None:
            self._server.close()
        self.agents.drain()
        if not await self._empty(seconds):
            for connection in tuple(self.agents.connections):
                connection.stop()
            await self._empty(CANCEL_SECONDS)
        for pool in (*self.pools.values(), *self._retired):
            pool.close()

    async def _empty(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.agents.emptied.wait(), seconds)
        return self.agents.emptied.is_set()
