"""From headers to a verified principal, or 401. The first gateway credential found decides.

What is not a gateway credential (the agent's own token for the target) is passed over; once something is
one, it must be good: a bad key does not get a second try with the next header.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tachograph.identity import errors
from tachograph.identity.api_keys import KEY_PATTERN, ApiKeyFile
from tachograph.identity.oidc import TokenVerifier
from tachograph.ingress.errors import KeysUnreadable, Unauthenticated
from tachograph.ingress.identity.presented import OURS, Presented, parted, presented, withheld
from tachograph.schemas.config import Identity
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.payload import HeaderField

__all__ = ["ANONYMOUS", "Authenticated", "Authenticator"]

ANONYMOUS = Principal(id="anonymous", kind=PrincipalKind.ANONYMOUS)
"""Whoever could not show who they are."""
ISSUER_SECONDS = 5.0
"""The longest that an issuer may take for one step of answering."""
_MISSING = (
    "no gateway credential: send a gateway key as x-tacho-key, x-api-key or bearer token "
    "(`tacho keys create NAME` makes one)"
)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who it is, the headers without the credential, and the headers for the record."""

    principal: Principal
    forward: tuple[HeaderField, ...]
    recorded: tuple[HeaderField, ...]
    groups: frozenset[str] = frozenset()
    """Groups that its issuer or its key gives it."""
    actors: tuple[str, ...] = ()
    """Who acts for the principal, nearest first (RFC 8693 `act`)."""


class Authenticator:
    """Checks gateway API keys and OIDC tokens. Close it when done."""

    def __init__(
        self,
        identity: Identity,
        *,
        base: Path,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `KeysUnreadable` for a broken key file."""
        try:
            self.api_keys = ApiKeyFile(
                base / identity.api_keys_file,
                now=lambda: datetime.fromtimestamp(now(), UTC),
                monotonic=monotonic,
            )
        except errors.KeysUnreadable as error:
            raise KeysUnreadable(error.detail) from None
        self._client = httpx.AsyncClient(timeout=ISSUER_SECONDS, follow_redirects=False)
        self._tokens = TokenVerifier(identity.oidc, self._client, now=now, monotonic=monotonic)

    async def close(self) -> None:
        await self._client.aclose()

    async def authenticate(self, headers: Sequence[HeaderField]) -> Authenticated:
        """Raises `Unauthenticated`, whose text may be shown to the agent."""
        for candidate in presented(headers):
            try:
                principal = await self._check(candidate)
            except errors.Unproven as error:
                raise Unauthenticated(error.detail) from None
            if principal is not None:
                return Authenticated(principal, *parted(headers, candidate.text))
        raise Unauthenticated(_MISSING)

    def redact(self, headers: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
        """The headers of a refused request for the record, with every credential's place blanked."""
        return withheld(headers)

    async def _check(self, candidate: Presented) -> Principal | None:
        if KEY_PATTERN.fullmatch(candidate.text):
            return self.api_keys.verify(candidate.text)
        if candidate.place in OURS or self._tokens.claims_issuer(candidate.text):
            return await self._tokens.verify(candidate.text)
        return None
