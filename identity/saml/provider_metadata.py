"""A provider's metadata from an address or a file: fetched when they are needed, kept for a while, rotated.

A signature that no known certificate verifies asks again, at most once in `ASK_SECONDS`, for the provider may
have rotated its key. While the address is away, what was fetched before stays in force for a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog

from tachograph.identity.documents import MAX_DOCUMENT_BYTES, fetch_bytes
from tachograph.identity.errors import IssuerFailed
from tachograph.identity.saml.metadata import IdentityProvider, read_metadata
from tachograph.schemas.identity_settings import SamlProvider

__all__ = ["ASK_SECONDS", "STALE_SECONDS", "ProviderMetadata"]

ASK_SECONDS = 10.0
"""Between two fetches, at least, whoever asks for them."""
STALE_SECONDS = 24 * 3600.0
_ACCEPT = "application/samlmetadata+xml, application/xml, text/xml"

log = structlog.get_logger(__name__)


class ProviderMetadata:
    """The metadata of one provider as they are now. For one event loop."""

    def __init__(
        self,
        told: SamlProvider,
        client: httpx.AsyncClient,
        *,
        base: Path,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._told = told
        self._client = client
        self._base = base
        self._now = now
        self._monotonic = monotonic
        self._known: IdentityProvider | None = None
        self._fetched: float | None = None
        self._problem = ""
        self._asked: float | None = None
        self._one = asyncio.Lock()

    async def current(self) -> IdentityProvider:
        """At most `metadata_seconds` old while their place answers; raises `IssuerFailed`."""
        async with self._one:
            if self._age() >= self._told.metadata_seconds:
                await self._refresh()
            known = self._known
            if known is None or self._age() > STALE_SECONDS or self._now() >= known.good_until:
                raise IssuerFailed(f"its metadata cannot be used: {self._problem or 'they are out of date'}")
            return known

    async def renewed(self) -> IdentityProvider | None:
        """Fresh ones, after a signature that those before do not verify; None where there is nothing new."""
        async with self._one:
            before = self._known
            await self._refresh()
            return self._known if self._known != before else None

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._monotonic() - self._fetched

    async def _refresh(self) -> None:
        """Ask, if that may be now. What was known before stays while the answer is none."""
        now = self._monotonic()
        if self._asked is not None and now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        try:
            self._known = read_metadata(await self._read(), self._told.idp_entity_id, now=self._now())
        except IssuerFailed as error:
            self._problem = error.detail
            log.warning("saml_metadata_not_read", provider=self._told.name, reason=error.detail)
        else:
            self._fetched, self._problem = self._monotonic(), ""
            log.info("saml_metadata_read", provider=self._told.name)

    async def _read(self) -> bytes:
        place = self._told.idp_metadata
        if "://" in place:
            return await fetch_bytes(self._client, place, accept=_ACCEPT)
        try:
            return await asyncio.to_thread(_file, self._base / place)
        except OSError as error:
            raise IssuerFailed(f"its metadata file {place}: {error.strerror}") from None


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise IssuerFailed(f"its metadata file has more than {MAX_DOCUMENT_BYTES} bytes")
    return data
