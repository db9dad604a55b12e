"""From a registry to the one object that exchanges are decided and forwarded by. Never on the event loop.

All or nothing: whatever of it cannot be used refuses all of it. What did not change is kept: a connection's
pool with its open connections, and the judge with what it remembers.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import ValidationError

from tachograph.credentials.keeper import Keeper
from tachograph.credentials.opening import identities_of, sources_of
from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.errors import IngressError, RegistryUnusable
from tachograph.ingress.policy.errors import PoliciesRefused
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.load import confusable_issuers
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.ingress.relay import Registered
from tachograph.ingress.routing import Routes
from tachograph.ingress.upstream.opening import open_pool
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.registry import Registry, short

__all__ = ["Compiler"]


class Compiler:
    """Compiles one registry after the other, each beside the one before. For one thread at a time."""

    def __init__(
        self, config: Configuration, *, base: Path, keeper: Keeper, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._config = config
        self._base = base
        self._keeper = keeper
        self._loop = loop
        self._pools: dict[str, tuple[object, UpstreamPool]] = {}
        self._judge: tuple[object, CedarJudge | None] = (None, None)

    def compile(self, registry: Registry, digest: str | None) -> Registered:
        """`digest` is what records name; None for nothing.

        Raises `RegistryUnusable` with all that is known to be wrong; then nothing has changed.
        """
        try:
            whole = registry.over(self._config)
        except ValidationError as error:
            raise RegistryUnusable("; ".join(item["msg"] for item in error.errors())) from None
        judge = self._judged(registry)
        self._keeper.add(source for _, source in (*sources_of(whole), *identities_of(whole)))
        credentials = CredentialStore(registry.connections, self._keeper)
        pools = self._pooled(registry, credentials)
        self._pools, self._judge = pools, judge
        return Registered(
            Routes(registry.connections),
            {name: pool for name, (_, pool) in pools.items()},
            credentials,
            judge[1],
            registry.contact,
            None if digest is None else short(digest),
        )

    def _judged(self, registry: Registry) -> tuple[object, CedarJudge | None]:
        of = (registry.policies, registry.connections)
        if not registry.policies:
            return of, None
        if of == self._judge[0]:
            return self._judge
        files = [PolicyFile(one.file, one.text) for one in registry.policies]
        try:
            policies = read_policies(files, issuers=confusable_issuers(self._config))
            return of, CedarJudge(policies, registry.connections)
        except PoliciesRefused as error:
            raise RegistryUnusable("\n".join(map(str, error.problems))) from None

    def _pooled(
        self, registry: Registry, credentials: CredentialStore
    ) -> dict[str, tuple[object, UpstreamPool]]:
        pools = {}
        for connection in registry.connections:
            of, kept = _way(connection), self._pools.get(connection.name)
            pools[connection.name] = (
                kept if kept and kept[0] == of else (of, self._open(connection, credentials))
            )
        return pools

    def _open(self, connection: Connection, credentials: CredentialStore) -> UpstreamPool:
        try:
            return open_pool(connection, credentials, base=self._base, loop=self._loop)
        except IngressError as error:
            raise RegistryUnusable(f"connection {connection.name}: {error.detail}") from None


def _way(connection: Connection) -> object:
    """All that a pool is made of."""
    return connection.upstream, connection.tls, connection.timeouts.connect
