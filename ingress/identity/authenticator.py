"""From headers to a verified principal, or 401. The first gateway credential decides, else a certificate.

What is not a gateway credential (the agent's own token for the target) is passed over; once something is
one, it must be good: a bad key does not get a second try with the next header.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tachograph.identity import errors
from tachograph.identity.api_keys import KEY_PATTERN, ApiKeyFile
from tachograph.identity.certificates import certified
from tachograph.identity.documents import issuer_client
from tachograph.identity.oidc import TokenVerifier
from tachograph.identity.proof import Proof
from tachograph.ingress.errors import KeysUnreadable, Unauthenticated
from tachograph.ingress.identity.presented import OURS, Presented, parted, presented, withheld
from tachograph.schemas.config import Identity
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.payload import HeaderField

__all__ = ["ANONYMOUS", "Authenticated", "Authenticator"]

ANONYMOUS = Principal(id="anonymous", kind=PrincipalKind.ANONYMOUS)
"""Whoever could not show who they are."""
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
    connections: frozenset[str] | None = None
    """The only connections that the credential is good for; None for no such limit."""
    still: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    """Raises `Unauthenticated` once the gateway key is revoked or expired; tokens are not asked again."""


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
        """Raises `KeysUnreadable` for a broken key file, or an issuer's `ca_file` that is none."""
        try:
            self.api_keys = ApiKeyFile(
                base / identity.api_keys_file,
                now=lambda: datetime.fromtimestamp(now(), UTC),
                monotonic=monotonic,
            )
            self.tokens = TokenVerifier(
                identity.oidc,
                lambda issuer: issuer_client(base / issuer.ca_file if issuer.ca_file else None),
                now=now,
                monotonic=monotonic,
            )
        except errors.IdentityError as error:
            raise KeysUnreadable(error.detail) from None

    async def close(self) -> None:
        await self.tokens.close()

    async def authenticate(
        self, headers: Sequence[HeaderField], certificate: Mapping[str, Any] | None = None
    ) -> Authenticated:
        """Who sent these headers, over a connection with this verified client certificate, if any.

        Raises `Unauthenticated`, whose text may be shown to the agent.
        """
        for candidate in presented(headers):
            try:
                proof = await self._check(candidate)
            except errors.Unproven as error:
                raise Unauthenticated(error.detail) from None
            if proof is not None:
                forward, recorded = parted(headers, candidate.text)
                return Authenticated(
                    proof.principal,
                    forward,
                    recorded,
                    groups=proof.groups,
                    actors=proof.principal.actors,
                    connections=proof.connections,
                    still=self._still(candidate),
                )
        if certificate is not None:
            return _by_certificate(headers, certificate)
        raise Unauthenticated(_MISSING)

    def redact(self, headers: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
        """The headers of a refused request for the record, with every credential's place blanked."""
        return withheld(headers)

    def _still(self, candidate: Presented) -> Callable[[], None]:
        def check() -> None:
            if KEY_PATTERN.fullmatch(candidate.text):
                try:
                    self.api_keys.verify(candidate.text)
                except errors.Unproven as error:
                    raise Unauthenticated(error.detail) from None

        return check

    async def _check(self, candidate: Presented) -> Proof | None:
        if KEY_PATTERN.fullmatch(candidate.text):
            return self.api_keys.verify(candidate.text)
        known = self.tokens.remembered(candidate.text)
        if known is not None:
            return known
        if candidate.place in OURS or self.tokens.claims_issuer(candidate.text):
            return await self.tokens.verify(candidate.text)
        return None


def _by_certificate(headers: Sequence[HeaderField], certificate: Mapping[str, Any]) -> Authenticated:
    try:
        proof = certified(certificate)
    except errors.Unproven as error:
        raise Unauthenticated(error.detail) from None
    return Authenticated(proof.principal, *parted(headers, None))
