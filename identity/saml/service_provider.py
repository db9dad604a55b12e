"""Logins of people at one SAML provider, from the redirect there to who came back.

`begin` sends the browser off; `finish` reads what it posts on return. What ties the two together is good
once: the request's id is forgotten before its answer is looked at.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog
from lxml import etree

from tachograph.identity.errors import LoginRefused, Unproven
from tachograph.identity.proof import Proof
from tachograph.identity.saml import request
from tachograph.identity.saml.assertion import Expected, prove
from tachograph.identity.saml.metadata import IdentityProvider, service_metadata
from tachograph.identity.saml.one_time import OpenRequests, UsedAssertions
from tachograph.identity.saml.provider_metadata import ProviderMetadata
from tachograph.identity.saml.request import Attempt, Ourselves
from tachograph.identity.saml.response import Evidence, evidence, take_apart
from tachograph.schemas.identity_settings import SamlProvider

__all__ = ["Chance", "ServiceProvider", "ourselves"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and randomness, as an argument."""

    now: Callable[[], float] = time.time
    """Unix time in seconds."""
    monotonic: Callable[[], float] = time.monotonic
    randomness: Callable[[int], bytes] = os.urandom


def ourselves(told: SamlProvider, public_url: str) -> Ourselves:
    """What the provider knows a console at `public_url` by."""
    place = f"{public_url}/login/{told.name}"
    return Ourselves(told.entity_id or f"{place}/metadata", f"{place}/back")


class ServiceProvider:
    """One entry of `identity.saml`. For one event loop; the client is the caller's to close."""

    def __init__(
        self,
        told: SamlProvider,
        ours: Ourselves,
        client: httpx.AsyncClient,
        *,
        base: Path,
        chance: Chance = Chance(),
    ) -> None:
        self._told = told
        self._ours = ours
        self._chance = chance
        self._provider = ProviderMetadata(told, client, base=base, now=chance.now, monotonic=chance.monotonic)
        self._open = OpenRequests(monotonic=chance.monotonic)
        self._used = UsedAssertions(monotonic=chance.monotonic)

    def metadata(self) -> bytes:
        """What the provider's administrator is given."""
        return service_metadata(self._ours)

    async def begin(self) -> Attempt:
        """A new attempt; raises `IssuerFailed` where the provider's metadata cannot be had."""
        provider = await self._provider.current()
        chance = self._chance
        attempt = request.begin(self._ours, provider.sso_url, randomness=chance.randomness, now=chance.now())
        self._open.add(attempt.request_id)
        return attempt

    async def finish(self, attempt: Attempt, form: Mapping[str, str]) -> Proof:
        """Who came back with this form; raises `LoginRefused`, `Unproven` or `IssuerFailed`."""
        try:
            return await self._finish(attempt, form)
        except (LoginRefused, Unproven) as error:
            log.warning("saml_login_refused", provider=self._told.name, reason=error.detail)
            raise

    async def _finish(self, attempt: Attempt, form: Mapping[str, str]) -> Proof:
        self._open.take(attempt.request_id)
        told = form.get("RelayState", "")
        if not hmac.compare_digest(told.encode("utf-8", "replace"), attempt.relay_state.encode()):
            raise LoginRefused("the answer belongs to another login: begin again")
        root = take_apart(form.get("SAMLResponse", ""))
        found = await self._evidence(root)
        expected = Expected(attempt, self._ours, self._told, self._chance.now())
        proof = prove(found, expected)
        self._used.use(found.assertion.get("ID", ""))
        return proof

    async def _evidence(self, root: etree._Element) -> Evidence:
        """What is signed with a key of the provider's, as its metadata are now."""
        provider = await self._provider.current()
        try:
            return self._verified(root, provider)
        except Unproven:
            fresh = await self._provider.renewed()
            if fresh is None:
                raise
        return self._verified(root, fresh)

    def _verified(self, root: etree._Element, provider: IdentityProvider) -> Evidence:
        return evidence(
            root,
            provider.certificates,
            assertion_signed=self._told.assertion_signed,
            now=self._chance.now(),
        )
