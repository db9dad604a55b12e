"""Login without a browser of one's own: the OAuth 2.0 device authorization grant (RFC 8628).

A person opens an address elsewhere, enters a code and says yes; meanwhile the token endpoint is polled, no
faster than it wants and no longer than the code lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tachograph.identity.addresses import safe
from tachograph.identity.discovery import Provider
from tachograph.identity.documents import post_form
from tachograph.identity.errors import IssuerFailed, LoginRefused
from tachograph.identity.grants import Tokens, endpoint, error_code, read_tokens

__all__ = ["MAX_WAIT_SECONDS", "DeviceCode", "Pace", "begin", "read_device_code", "wait"]

DEFAULT_INTERVAL = 5
"""RFC 8628, 3.2: where the issuer does not say."""
SLOW_DOWN = 5
"""RFC 8628, 3.5: so many seconds more, from then on."""
MAX_INTERVAL = 60
MAX_WAIT_SECONDS = 1800
"""However long the code lives."""
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_REFUSALS = {
    "access_denied": "the login was declined",
    "expired_token": "nobody entered the code in time",
}


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the person is shown, and what is polled with."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    """With the code in it; None where the issuer offers none."""
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How to wait: time passes by these alone."""

    sleep: Callable[[float], Awaitable[None]]
    monotonic: Callable[[], float]
    now: Callable[[], float]


async def begin(client: httpx.AsyncClient, provider: Provider, *, client_id: str, scopes: str) -> DeviceCode:
    """Ask for a code; raises `LoginRefused` for the issuer's no, `IssuerFailed` for nonsense."""
    where = endpoint(provider, "device_authorization_endpoint")
    answer = await post_form(client, where, {"client_id": client_id, "scope": scopes})
    code = error_code(answer)
    if code is not None:
        raise LoginRefused(f"the issuer answered {code}")
    return read_device_code(answer.document)


async def wait(
    client: httpx.AsyncClient, provider: Provider, code: DeviceCode, *, client_id: str, pace: Pace
) -> Tokens:
    """Poll until the person has decided; raises `LoginRefused` for a no, or when the code's time is over."""
    form = {"grant_type": GRANT, "device_code": code.device_code, "client_id": client_id}
    where = endpoint(provider, "token_endpoint")
    deadline = pace.monotonic() + min(code.expires_in, MAX_WAIT_SECONDS)
    interval = code.interval
    while pace.monotonic() + interval < deadline:
        await pace.sleep(interval)
        try:
            answer = await post_form(client, where, form)
        except IssuerFailed:  # RFC 8628, 3.5: a connection that fails means to come back less often
            interval = min(2 * interval, MAX_INTERVAL)
            continue
        match error_code(answer):
            case None:
                return read_tokens(answer.document, now=pace.now())
            case "authorization_pending":
                pass
            case "slow_down":
                interval = min(interval + SLOW_DOWN, MAX_INTERVAL)
            case other:
                raise LoginRefused(_REFUSALS.get(other, f"the issuer answered {other}"))
    raise LoginRefused(_REFUSALS["expired_token"])


def read_device_code(document: Mapping[str, Any]) -> DeviceCode:
    """RFC 8628, 3.2; raises `IssuerFailed`. What a person is shown holds nothing but printable characters."""
    complete = document.get("verification_uri_complete")
    return DeviceCode(
        device_code=_text(document, "device_code", 4096),
        user_code=_text(document, "user_code", 64),
        verification_uri=_address(_text(document, "verification_uri", 2048)),
        verification_uri_complete=(
            None if complete is None else _address(_text(document, "verification_uri_complete", 2048))
        ),
        expires_in=_seconds(document.get("expires_in"), "expires_in"),
        interval=min(_seconds(document.get("interval", DEFAULT_INTERVAL), "interval"), MAX_INTERVAL),
    )


def _text(document: Mapping[str, Any], name: str, longest: int) -> str:
    value = document.get(name)
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= longest
        or not value.isascii()
        or not value.isprintable()
    ):
        raise IssuerFailed(f"it gave no usable {name}")
    return value


def _address(url: str) -> str:
    if not safe(url) or " " in url:
        raise IssuerFailed("it asks the person to open an address that is not https")
    return url


def _seconds(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise IssuerFailed(f"it gave no usable {name}")
    return value
