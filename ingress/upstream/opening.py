"""From a connection's settings to the pool of connections to its target."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.ingress.upstream.target import parse_target
from tachograph.ingress.upstream.tls import Contexts
from tachograph.schemas.connection import Connection

__all__ = ["open_pool"]


def open_pool(
    connection: Connection, credentials: CredentialStore, *, base: Path, loop: asyncio.AbstractEventLoop
) -> UpstreamPool:
    """A pool that connects when it is asked to. Raises `KeysUnreadable` for TLS files."""
    target, identity = parse_target(connection.upstream), credentials.identity(connection)
    return UpstreamPool(
        target,
        context=Contexts(connection.tls, base=base, identity=identity) if target.tls else None,
        server_name=connection.tls.server_name,
        connect_timeout=connection.timeouts.connect,
        loop=loop,
    )
