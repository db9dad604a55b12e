"""Login in a browser: OpenID Connect's authorization code flow with PKCE (RFC 7636), for a server of ours.

An attempt begins with a URL to send the browser to, and is kept by the server until the browser comes back
with a code. State, nonce and verifier tie the answer to the attempt; each is good once, which is the
server's to see to: forget the attempt before its answer is looked at.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx

from tachograph.identity.discovery import Provider
from tachograph.identity.errors import IssuerFailed, LoginRefused
from tachograph.identity.grants import Tokens, endpoint, redeem
from tachograph.identity.oidc import TokenVerifier
from tachograph.identity.proof import Proof
from tachograph.identity.tokens import take_apart
from tachograph.schemas.config import OidcIssuer

__all__ = ["Attempt", "Registration", "begin", "finish", "for_logins", "identify"]

_RANDOM_BYTES = 32
_MAX_CODE = 4096


@dataclass(frozen=True, slots=True)
class Registration:
    """What the issuer knows our server by. A public client has no secret."""

    client_id: str
    redirect_uri: str
    scopes: str = "openid"
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way. Keep it on the server, or sealed in a cookie; never in clear with the browser."""

    url: str = field(repr=False)
    """Where to send the browser."""
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


def for_logins(issuer: OidcIssuer, client_id: str) -> OidcIssuer:
    """The issuer's settings for ID tokens, whose audience is the client (OpenID Connect Core 1.0, 2).

    A rule about `typ` tells an issuer's kinds of token apart (Keycloak), and is meant for access tokens.
    """
    rules = {claim: told for claim, told in issuer.require.items() if claim != "typ"}
    return issuer.model_copy(update={"audience": client_id, "require": rules})


def begin(provider: Provider, ours: Registration, *, randomness: Callable[[int], bytes]) -> Attempt:
    """A new attempt; raises `IssuerFailed` for an issuer without such logins."""
    state, nonce, verifier = (_text(randomness(_RANDOM_BYTES)) for _ in range(3))
    asked = {
        "response_type": "code",
        "client_id": ours.client_id,
        "redirect_uri": ours.redirect_uri,
        "scope": ours.scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": _text(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    where = endpoint(provider, "authorization_endpoint")
    return Attempt(f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", state, nonce, verifier)


async def finish(
    client: httpx.AsyncClient,
    provider: Provider,
    ours: Registration,
    *,
    attempt: Attempt,
    query: Mapping[str, str],
    now: float,
) -> Tokens:
    """Tokens for what the browser came back with; raises `LoginRefused` or `IssuerFailed`."""
    form = {
        "grant_type": "authorization_code",
        "code": _code(query, attempt, provider.issuer),
        "redirect_uri": ours.redirect_uri,
        "client_id": ours.client_id,
        "code_verifier": attempt.verifier,
    }
    if ours.client_secret is not None:
        form["client_secret"] = ours.client_secret
    return await redeem(client, provider, form, now=now)


async def identify(verifier: TokenVerifier, tokens: Tokens, *, attempt: Attempt, client_id: str) -> Proof:
    """Who logged in, by the ID token. `verifier` takes the issuer as `for_logins` has it."""
    if tokens.id_token is None:
        raise IssuerFailed("it gave no ID token: `openid` must be among the scopes")
    proof = await verifier.verify(tokens.id_token)
    claims = take_apart(tokens.id_token).claims
    nonce = claims.get("nonce")
    # OpenID Connect Core 1.0, 3.1.3.7: 11 (nonce) and 5 (azp)
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
        raise LoginRefused("the ID token belongs to another login: begin again")
    if claims.get("azp", client_id) != client_id:
        raise LoginRefused("the ID token was made for another client")
    return proof


def _code(query: Mapping[str, str], attempt: Attempt, issuer: str) -> str:
    state = query.get("state", "")
    if not hmac.compare_digest(state.encode("utf-8", "replace"), attempt.state.encode()):
        raise LoginRefused("the answer belongs to another login: begin again")
    if query.get("iss", issuer) != issuer:  # RFC 9207: answers of two issuers must not be mixed up
        raise LoginRefused("the answer is another issuer's: begin again")
    if "error" in query:
        raise LoginRefused("the issuer or the person declined the login")
    code = query.get("code", "")
    if not 0 < len(code) <= _MAX_CODE:
        raise LoginRefused("the answer has no code: begin again")
    return code


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
