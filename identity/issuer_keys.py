"""The signing keys of one OIDC issuer: discovered, fetched, kept for a while, rotated.

An unknown key id asks the issuer again, within a budget that forged tokens cannot widen. One fetch serves
all who wait for it, and goes on when one of them leaves. When the issuer is away, the keys fetched before
stay in force for a day, and nobody who has one waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx
import structlog

from tachograph.identity.discovery import discovery_url, read_provider
from tachograph.identity.documents import fetch
from tachograph.identity.errors import IssuerFailed, Unproven
from tachograph.identity.published_keys import SigningKey, signing_keys
from tachograph.schemas.config import OidcIssuer

__all__ = ["ASK_BURST", "ASK_SECONDS", "RETRY_SECONDS", "STALE_SECONDS", "IssuerKeys"]

RETRY_SECONDS = 30.0
"""After a failure, until the issuer is asked again."""
ASK_BURST = 5
ASK_SECONDS = 10.0
"""Unknown key ids may ask a healthy issuer so many times at once, and again once in so many seconds."""
STALE_SECONDS = 24 * 3600.0

log = structlog.get_logger(__name__)


class IssuerKeys:
    """Asks for keys by id. One instance an issuer; safe for concurrent callers on one loop."""

    def __init__(
        self, issuer: OidcIssuer, client: httpx.AsyncClient, *, monotonic: Callable[[], float]
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._monotonic = monotonic
        self._keys: Mapping[str | None, SigningKey] = {}
        self._fetched: float | None = None
        self._failed: float | None = None
        self._budget = float(ASK_BURST)
        self._asked = monotonic()
        self._fetching: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    @property
    def fresh_until(self) -> float:
        """Until when, by the monotonic clock, the keys are as the issuer publishes them."""
        return 0.0 if self._fetched is None else self._fetched + self._issuer.keys_seconds

    async def find(self, kid: str | None) -> SigningKey:
        """The key of this id, or the issuer's only key where the token names none; raises `Unproven`."""
        key = self._pick(kid)
        stale = self._monotonic() >= self.fresh_until
        if key is None and not await self._refresh(unknown=not stale) and self._pick(kid) is None:
            await self._refresh(unknown=True)  # what we waited for may have begun before the key was there
        elif key is not None and stale and self._fetching is None:
            await self._refresh(unknown=False)
        key = self._pick(kid)
        if self._fetched is None or self._monotonic() - self._fetched > STALE_SECONDS:
            raise Unproven("the token's issuer cannot be asked for its keys just now")
        if key is None:
            raise Unproven("the token is signed with a key that its issuer does not publish")
        return key

    def _pick(self, kid: str | None) -> SigningKey | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    async def _refresh(self, *, unknown: bool) -> bool:
        """Wait for a fetch, if one is under way or may begin; whether it is our own."""
        own = self._fetching is None
        if own and self._may_ask(unknown=unknown):
            self._fetching = asyncio.create_task(self._fetch())
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        return own

    def _may_ask(self, *, unknown: bool) -> bool:
        now = self._monotonic()
        if self._failed is not None and now - self._failed < RETRY_SECONDS:
            return False
        self._budget = min(ASK_BURST, self._budget + (now - self._asked) / ASK_SECONDS)
        self._asked = now
        if not unknown:
            return True
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    async def _fetch(self) -> None:
        try:
            keys = signing_keys(await fetch(self._client, await self._jwks_url()))
        except IssuerFailed as error:
            self._failed = self._monotonic()
            log.warning("oidc_keys_not_fetched", issuer=self._issuer.issuer, reason=error.detail)
        else:
            self._keys, self._fetched, self._failed = keys, self._monotonic(), None
            log.info("oidc_keys_fetched", issuer=self._issuer.issuer, keys=len(keys))
        finally:
            self._fetching = None

    async def _jwks_url(self) -> str:
        if self._issuer.jwks_url is not None:
            return self._issuer.jwks_url
        document = await fetch(self._client, discovery_url(self._issuer.issuer))
        return read_provider(document, self._issuer.issuer).jwks_uri
