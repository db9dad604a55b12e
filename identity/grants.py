"""What a token endpoint is asked and says: RFC 6749 tokens and errors, renewal, RFC 7009 revocation.

Tokens are secrets: no repr shows one, and an error says the standard's code for it and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tachograph.identity.discovery import Provider, discovery_url, read_provider
from tachograph.identity.documents import Answer, fetch, post_form
from tachograph.identity.errors import IssuerFailed, LoginRefused

__all__ = ["DEFAULT_SECONDS", "Tokens", "discover", "error_code", "read_tokens", "redeem", "renew", "revoke"]

MAX_TEXT = 16 * 1024
DEFAULT_SECONDS = 300
"""How long an access token is taken to live where the issuer does not say."""
MAX_SECONDS = 366 * 86_400
# RFC 6749, 5.2: printable ASCII without quote and backslash
_CODE = re.compile(r"[ !#-\[\]-~]{1,64}")
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login or a renewal gives."""

    access_token: str = field(repr=False)
    expires_at: float
    """Unix time in seconds."""
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


async def discover(client: httpx.AsyncClient, issuer: str) -> Provider:
    """The issuer's endpoints; raises `IssuerFailed`."""
    return read_provider(await fetch(client, discovery_url(issuer)), issuer)


async def redeem(
    client: httpx.AsyncClient, provider: Provider, form: Mapping[str, str], *, now: float
) -> Tokens:
    """Tokens for what a form holds; raises `LoginRefused` for the issuer's no, else `IssuerFailed`."""
    answer = await post_form(client, endpoint(provider, "token_endpoint"), form)
    code = error_code(answer)
    if code is not None:
        raise LoginRefused(f"the issuer answered {code}")
    return read_tokens(answer.document, now=now)


async def renew(
    client: httpx.AsyncClient, provider: Provider, *, client_id: str, refresh_token: str, now: float
) -> Tokens:
    """Fresh tokens for a refresh token (RFC 6749, 6), which stays the same where no other one comes."""
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": refresh_token}
    found = await redeem(client, provider, form, now=now)
    return Tokens(found.access_token, found.expires_at, found.refresh_token or refresh_token, found.id_token)


async def revoke(client: httpx.AsyncClient, provider: Provider, *, client_id: str, token: str) -> bool:
    """Tell the issuer that a token is over (RFC 7009); whether it took notice."""
    if provider.revocation_endpoint is None:
        return False
    form = {"client_id": client_id, "token": token, "token_type_hint": "refresh_token"}
    return (await post_form(client, provider.revocation_endpoint, form)).status == 200


def endpoint(provider: Provider, name: str) -> str:
    """One of the provider's endpoints; raises `IssuerFailed` where it has none."""
    found = getattr(provider, name)
    if not isinstance(found, str):
        raise IssuerFailed(f"its discovery document has no {name}")
    return found


def error_code(answer: Answer) -> str | None:
    """The standard's word for what went wrong, None for a success."""
    if answer.status == 200:
        return None
    code = answer.document.get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else f"status {answer.status}"


def read_tokens(document: Mapping[str, Any], *, now: float) -> Tokens:
    """RFC 6749, 5.1; raises `IssuerFailed` for anything but bearer tokens."""
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise IssuerFailed("it gave a token of another type than bearer")
    access = _token(document, "access_token")
    if access is None:
        raise IssuerFailed("it gave no access token")
    seconds = document.get("expires_in", DEFAULT_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= MAX_SECONDS:
        raise IssuerFailed("it gave a token without a usable lifetime")
    return Tokens(access, now + seconds, _token(document, "refresh_token"), _token(document, "id_token"))


def _token(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT or _TOKEN.fullmatch(value) is None:
        raise IssuerFailed(f"it gave an {name} that is none")
    return value
