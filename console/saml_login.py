"""Login at a SAML provider: the console as a service provider, whose answers come by POST."""

from __future__ import annotations

from pathlib import Path

import httpx

from tachograph.console.login import Begun, Returned
from tachograph.identity.documents import issuer_client
from tachograph.identity.errors import LoginRefused
from tachograph.identity.proof import Proof
from tachograph.identity.saml.request import Attempt
from tachograph.identity.saml.service_provider import Chance, ServiceProvider, ourselves
from tachograph.schemas.identity_settings import SamlProvider

__all__ = ["SamlLogin"]


class SamlLogin:
    """One entry of `identity.saml`. Close it when done."""

    takes_forms = True

    def __init__(
        self, told: SamlProvider, *, base: Path, public_url: str, chance: Chance | None = None
    ) -> None:
        """Raises `IssuerFailed` for a `ca_file` that is none."""
        self.key = told.name
        self.label = told.label
        self._client: httpx.AsyncClient = issuer_client(base / told.ca_file if told.ca_file else None)
        self._provider = ServiceProvider(
            told, ourselves(told, public_url), self._client, base=base, chance=chance or Chance()
        )

    async def close(self) -> None:
        await self._client.aclose()

    def metadata(self) -> bytes:
        """What the provider's administrator is given; nothing of it is secret."""
        return self._provider.metadata()

    async def begin(self) -> Begun:
        attempt = await self._provider.begin()
        return Begun(attempt.url, attempt)

    async def finish(self, kept: object, returned: Returned) -> Proof:
        if not isinstance(kept, Attempt):
            raise LoginRefused("the answer belongs to another login: begin again")
        return await self._provider.finish(kept, returned.form)
