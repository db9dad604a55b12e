"""What an issuer says about itself: OpenID Connect Discovery 1.0 and RFC 8414, read strictly. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tachograph.identity.addresses import safe
from tachograph.identity.errors import IssuerFailed

__all__ = ["Provider", "discovery_url", "read_provider"]


@dataclass(frozen=True, slots=True)
class Provider:
    """An issuer's endpoints; None where it has none."""

    issuer: str
    jwks_uri: str
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None


_ENDPOINTS = (
    "token_endpoint",
    "authorization_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
)


def discovery_url(issuer: str) -> str:
    """OpenID Connect Discovery 1.0, 4: the well-known path goes behind the issuer's own."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def read_provider(document: Mapping[str, Any], issuer: str) -> Provider:
    """The endpoints in a document; raises `IssuerFailed` unless it is this issuer's and they are safe."""
    # OpenID Connect Discovery 1.0, 4.3: it must name exactly the issuer that was asked
    if document.get("issuer") != issuer:
        raise IssuerFailed("its discovery document names another issuer")
    keys = _address(document, "jwks_uri")
    if keys is None:
        raise IssuerFailed("its discovery document has no jwks_uri")
    return Provider(issuer, keys, **{name: _address(document, name) for name in _ENDPOINTS})


def _address(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not safe(value):
        raise IssuerFailed(f"its {name} is not an https address, nor http on this machine")
    return value
