"""OIDC bearer tokens: signature, issuer, audience and time are checked; only then is anybody anybody.

Algorithms come from the configuration, never from the token alone: `none` and HMAC are not in its list.
A verified token is remembered by its digest until it expires, for a few minutes at most. Revocation
before expiry is not checked: there is no introspection.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.util import urlsafe_b64decode

from tachograph.identity.errors import Unproven
from tachograph.identity.issuer_keys import IssuerKeys, SigningKey
from tachograph.schemas.config import OidcIssuer
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["TokenVerifier"]

MAX_TOKEN_BYTES = 8 * 1024
MAX_REMEMBERED = 4096
REMEMBER_SECONDS = 300.0
"""A key that its issuer withdraws is in force here no longer than this."""


@dataclass(frozen=True, slots=True)
class _Verified:
    principal: Principal
    expires: float
    until: float


class TokenVerifier:
    """Tokens of the configured issuers. `now` is Unix time in seconds."""

    def __init__(
        self,
        issuers: Sequence[OidcIssuer],
        client: httpx.AsyncClient,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: IssuerKeys(issuer, client, monotonic=monotonic) for issuer in issuers}
        self._now = now
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, _Verified] = OrderedDict()

    def claims_issuer(self, text: str) -> bool:
        """Whether this looks like a token of a configured issuer; nothing about it is verified yet."""
        if text.count(".") != 2 or len(text) > MAX_TOKEN_BYTES:
            return False
        issuer = (_part(text.split(".")[1]) or {}).get("iss")
        return isinstance(issuer, str) and issuer in self._issuers

    async def verify(self, text: str) -> Principal:
        """Whose token this is; raises `Unproven` with a reason that repeats nothing of the token."""
        if len(text) > MAX_TOKEN_BYTES:
            raise Unproven(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and self._now() < known.expires and self._monotonic() < known.until:
            return known.principal
        self._known.pop(digest, None)
        principal, expires = await self._check(text)
        self._known[digest] = _Verified(principal, expires, self._monotonic() + REMEMBER_SECONDS)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return principal

    async def _check(self, text: str) -> tuple[Principal, float]:
        pieces = text.split(".")
        header, claims = (_part(pieces[0]), _part(pieces[1])) if len(pieces) == 3 else (None, None)
        if header is None or claims is None:
            raise Unproven("the bearer credential is not a signed token")
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise Unproven("the token's issuer is not configured here")
        algorithm = header.get("alg")
        if algorithm not in issuer.algorithms:
            raise Unproven("the token's algorithm is not allowed")
        if "crit" in header or "b64" in header:
            raise Unproven("the token's header makes demands that are not understood")
        verified = await self._signed(text, issuer, str(algorithm), header.get("kid"))
        return self._who(verified, issuer), self._times(verified, issuer)

    async def _signed(self, text: str, issuer: OidcIssuer, algorithm: str, kid: object) -> dict[str, Any]:
        if kid is not None and not isinstance(kid, str):
            raise Unproven("the token's key id is not a text")
        key = await self._keys[issuer.issuer].find(kid)
        try:
            # Exactly the one algorithm that was checked: a library's default list is not ours.
            payload = _verified(text, key, algorithm)
            claims = orjson.loads(payload or b"")
        except (JoseError, ValueError, TypeError):
            raise Unproven("the token's signature does not verify") from None
        if not isinstance(claims, dict) or claims.get("iss") != issuer.issuer:
            raise Unproven("the token's issuer is not configured here")
        return claims

    def _who(self, claims: Mapping[str, Any], issuer: OidcIssuer) -> Principal:
        audience = claims.get("aud")
        if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unproven("the token is for another audience")
        name = claims.get(issuer.principal_claim)
        if not isinstance(name, str) or not 0 < len(name) <= 256:
            raise Unproven(f"the token has no usable claim {issuer.principal_claim!r}")
        return Principal(id=name, kind=PrincipalKind.OIDC, issuer=issuer.issuer)

    def _times(self, claims: Mapping[str, Any], issuer: OidcIssuer) -> float:
        """RFC 7519, 4.1.4 and 4.1.5; a token without `exp` would be valid for ever and is refused."""
        now = self._now()
        expires, begins = _number(claims.get("exp")), _number(claims.get("nbf", 0))
        if expires is None or begins is None:
            raise Unproven("the token does not say when it expires")
        if now >= expires + issuer.leeway:
            raise Unproven("the token is expired")
        if now < begins - issuer.leeway:
            raise Unproven("the token is not valid yet")
        return expires + issuer.leeway


def _verified(text: str, key: SigningKey, algorithm: str) -> bytes | None:
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA to Ed25519; issuers go on to sign under the old name for years.
        warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
        return jws.deserialize_compact(text, key, algorithms=[algorithm]).payload


def _part(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(urlsafe_b64decode(text.encode()))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
