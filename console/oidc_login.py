"""Login at an OIDC issuer: authorization code with PKCE, the console as the issuer's client."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from tachograph.console.kafka_settings import read_secret
from tachograph.console.login import Begun, Returned
from tachograph.identity import code_flow
from tachograph.identity.discovery import Provider
from tachograph.identity.documents import issuer_client
from tachograph.identity.errors import LoginRefused
from tachograph.identity.grants import discover
from tachograph.identity.oidc import TokenVerifier
from tachograph.identity.proof import FOR_EVER, Proof
from tachograph.schemas.config import OidcIssuer
from tachograph.schemas.console_settings import ConsoleLogin

__all__ = ["OidcLogin"]

PROVIDER_SECONDS = 300.0
"""How long the issuer's endpoints are remembered: who knocks at our door must not make us knock at its."""


@dataclass(frozen=True, slots=True)
class _Kept:
    attempt: code_flow.Attempt
    provider: Provider


class OidcLogin:
    """One entry of `console.logins`. Close it when done."""

    takes_forms = False

    def __init__(self, told: ConsoleLogin, issuer: OidcIssuer, *, base: Path, public_url: str) -> None:
        """Raises `OperatorError` for an unreadable secret, `IssuerFailed` for a `ca_file` that is none."""
        self.key = told.name
        self.label = told.label
        self._issuer = code_flow.for_logins(issuer, told.client_id)
        secret = None if told.client_secret is None else read_secret(told.client_secret, base=base)
        self._ours = code_flow.Registration(
            told.client_id, f"{public_url}/login/{told.name}/back", told.scopes, secret
        )
        ca_file = base / issuer.ca_file if issuer.ca_file else None
        self._client: httpx.AsyncClient = issuer_client(ca_file)
        self._provider: Provider | None = None
        self._provider_until = 0.0
        self._verifier = TokenVerifier(
            [self._issuer], lambda _: issuer_client(ca_file), now=time.time, monotonic=time.monotonic
        )

    async def close(self) -> None:
        await self._client.aclose()
        await self._verifier.close()

    async def begin(self) -> Begun:
        provider = await self._discovered()
        attempt = code_flow.begin(provider, self._ours, randomness=os.urandom)
        return Begun(attempt.url, _Kept(attempt, provider))

    async def _discovered(self) -> Provider:
        if self._provider is None or time.monotonic() >= self._provider_until:
            self._provider = await discover(self._client, self._issuer.issuer)
            self._provider_until = time.monotonic() + PROVIDER_SECONDS
        return self._provider

    async def finish(self, kept: object, returned: Returned) -> Proof:
        if not isinstance(kept, _Kept):
            raise LoginRefused("the answer belongs to another login: begin again")
        tokens = await code_flow.finish(
            self._client,
            kept.provider,
            self._ours,
            attempt=kept.attempt,
            query=returned.query,
            now=time.time(),
        )
        proof = await code_flow.identify(
            self._verifier, tokens, attempt=kept.attempt, client_id=self._ours.client_id
        )
        # OpenID Connect Core 1.0, 2: `exp` is until when the ID token may be taken, not when a login ends
        return replace(proof, expires=FOR_EVER)
