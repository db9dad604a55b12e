"""OIDC bearer tokens: form, signature and claims are checked, in this order; only then is anybody anybody.

Algorithms come from the configuration, never from the token alone: `none` and HMAC are not in its list. A
verified token is remembered by its digest, no longer than it is valid and no longer than the key that
verified it is known to be published. Revocation of a single token before its `exp` is not checked: there is
no introspection.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from tachograph.identity.claims import prove
from tachograph.identity.errors import Unproven
from tachograph.identity.issuer_keys import IssuerKeys
from tachograph.identity.proof import Proof
from tachograph.identity.published_keys import SigningKey, fits
from tachograph.identity.tokens import MAX_TOKEN_BYTES, claimed_issuer, take_apart
from tachograph.schemas.config import OidcIssuer

__all__ = ["MAX_REMEMBERED", "TokenVerifier"]

MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Verified:
    proof: Proof
    until: float
    """By the monotonic clock; the proof's own end is by the wall clock."""


class TokenVerifier:
    """Tokens of the configured issuers. `now` is Unix time in seconds. Close it when done."""

    def __init__(
        self,
        issuers: Sequence[OidcIssuer],
        client_of: Callable[[OidcIssuer], httpx.AsyncClient],
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._issuers = {item.issuer: item for item in issuers}
        self._clients = [client_of(item) for item in issuers]
        self._keys = {
            item.issuer: IssuerKeys(item, client, monotonic=monotonic)
            for item, client in zip(issuers, self._clients, strict=True)
        }
        self._now = now
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, _Verified] = OrderedDict()

    async def close(self) -> None:
        for keys in self._keys.values():
            await keys.close()
        for client in self._clients:
            await client.aclose()

    def claims_issuer(self, text: str) -> bool:
        """Whether this looks like a token of a configured issuer; nothing about it is verified yet."""
        return claimed_issuer(text) in self._issuers

    def remembered(self, text: str) -> Proof | None:
        """What this very token proved a moment ago, while that still holds."""
        if not self._known:
            return None
        known = self._known.get(_digest(text))
        if known is None or self._now() >= known.proof.expires or self._monotonic() >= known.until:
            return None
        return known.proof

    async def verify(self, text: str) -> Proof:
        """Whose token this is; raises `Unproven` with a reason that repeats nothing of the token."""
        known = self.remembered(text)
        if known is not None:
            return known
        digest = _digest(text)
        self._known.pop(digest, None)
        proof, until = await self._check(text)
        if self._monotonic() < until:  # not while the issuer is away: its keys may have changed
            self._known[digest] = _Verified(proof, until)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return proof

    async def _check(self, text: str) -> tuple[Proof, float]:
        token = take_apart(text)
        told = token.claims.get("iss")
        issuer = self._issuers.get(told) if isinstance(told, str) else None
        if issuer is None:
            raise Unproven("the token's issuer is not configured here")
        if token.algorithm not in issuer.algorithms:
            raise Unproven("the token's algorithm is not allowed")
        keys = self._keys[issuer.issuer]
        key = await keys.find(token.key_id)
        if not fits(key, token.algorithm) or not _signed(text, key, token.algorithm):
            raise Unproven("the token's signature does not verify")
        return prove(token.claims, issuer, now=self._now()), keys.fresh_until


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class _Registry(jws.JWSRegistry):
    """The header was read already; what it says beyond `alg` is no business of the signature's."""

    max_header_length = MAX_TOKEN_BYTES

    def check_header(self, header: object) -> None:
        pass


def _signed(text: str, key: SigningKey, algorithm: str) -> bool:
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA to Ed25519; issuers go on to sign under the old name for years.
            warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
            # Exactly the one algorithm that was checked: a library's default list is not ours.
            jws.deserialize_compact(text, key, registry=_Registry(algorithms=[algorithm]))
    except (JoseError, ValueError, TypeError):
        return False
    return True
