"""The signing keys of one OIDC issuer: discovered, fetched over HTTPS, kept for a while, rotated.

An unknown key id asks the issuer again, but not more often than a named bound allows, so forged tokens
cannot make us hammer it. When the issuer is away, the keys fetched before stay in force for a day.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from tachograph.identity.errors import Unproven
from tachograph.schemas.config import OidcIssuer

__all__ = ["IssuerKeys", "SigningKey"]

SigningKey = RSAKey | ECKey | OKPKey
FRESH_SECONDS = 600.0
RETRY_SECONDS = 30.0
"""Between two fetches from one issuer, whatever the reason."""
STALE_SECONDS = 24 * 3600.0
MAX_DOCUMENT_BYTES = 512 * 1024
MAX_KEYS = 64
MIN_RSA_BITS = 2048
_UNAVAILABLE = "the token's issuer cannot be asked for its keys just now"

log = structlog.get_logger(__name__)


class _Unusable(Exception):
    """The issuer answered something that cannot be used; its text is ours."""


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
        self._tried: float | None = None
        self._turn = asyncio.Lock()

    async def find(self, kid: str | None) -> SigningKey:
        """The key of this id, or the issuer's only key where the token names none."""
        if self._age() > FRESH_SECONDS or self._pick(kid) is None:
            await self._refresh(kid)
        if self._age() > STALE_SECONDS:
            raise Unproven(_UNAVAILABLE)
        key = self._pick(kid)
        if key is None:
            raise Unproven("the token is signed with a key that its issuer does not publish")
        return key

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._monotonic() - self._fetched

    def _pick(self, kid: str | None) -> SigningKey | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    async def _refresh(self, kid: str | None) -> None:
        async with self._turn:
            if self._age() <= FRESH_SECONDS and self._pick(kid) is not None:
                return  # another caller did it while we waited
            now = self._monotonic()
            if self._tried is not None and now - self._tried < RETRY_SECONDS:
                return
            self._tried = now
            try:
                self._keys = _signing_keys(await self._document(await self._jwks_url()))
            except (httpx.HTTPError, _Unusable) as error:
                reason = str(error) if isinstance(error, _Unusable) else type(error).__name__
                log.warning("oidc_keys_not_fetched", issuer=self._issuer.issuer, reason=reason)
            else:
                self._fetched = now
                log.info("oidc_keys_fetched", issuer=self._issuer.issuer, keys=len(self._keys))

    async def _jwks_url(self) -> str:
        """OpenID Connect Discovery 1.0, 4.3: the document must name exactly the issuer that was asked."""
        if self._issuer.jwks_url is not None:
            return self._issuer.jwks_url
        document = await self._document(self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer.issuer:
            raise _Unusable("its discovery document names another issuer")
        url = document.get("jwks_uri")
        if not isinstance(url, str):
            raise _Unusable("its discovery document has no jwks_uri")
        return url

    async def _document(self, url: str) -> dict[str, Any]:
        if not _safe(url):
            raise _Unusable("expected an https address for its keys")
        data = bytearray()
        async with self._client.stream("GET", url, headers={"accept": "application/json"}) as response:
            if response.status_code != 200:
                raise _Unusable(f"it answered {response.status_code}")
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > MAX_DOCUMENT_BYTES:
                    raise _Unusable(f"it sent more than {MAX_DOCUMENT_BYTES} bytes")
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise _Unusable("it did not send JSON") from None
        if not isinstance(document, dict):
            raise _Unusable("it did not send a JSON object")
        return document


def _safe(url: str) -> bool:
    """HTTPS, or HTTP to this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.scheme != "http":
        return parts.scheme == "https"
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _signing_keys(document: Mapping[str, Any]) -> dict[str | None, SigningKey]:
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise _Unusable(f"expected a list of at most {MAX_KEYS} keys")
    found: dict[str | None, SigningKey] = {}
    for entry in entries:
        key = _signing_key(entry)
        if key is not None:
            kid = entry.get("kid")
            found[kid if isinstance(kid, str) else None] = key
    return found


def _signing_key(entry: object) -> SigningKey | None:
    """RFC 7517, 5: keys that are not understood, or not for signatures, are passed over."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    if entry.get("kty") not in {"RSA", "EC", "OKP"}:  # never `oct`: a published secret is none
        return None
    public = {name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}}
    try:
        key = JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey):
        return key if key.public_key.key_size >= MIN_RSA_BITS else None
    return key if isinstance(key, ECKey | OKPKey) else None
