"""What the console is told: where it serves, who logs in and how, and whom it tells that somebody waits."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tachograph.schemas.listen import Listen
from tachograph.schemas.secret_source import PlainSource

__all__ = ["Console", "ConsoleLogin", "LinkReviewer", "Webhook"]

DEFAULT_PORT = 8090
_Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class ConsoleLogin(_Config):
    """A way for people to log in: the console as a client of one issuer (authorization code with PKCE)."""

    issuer: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """One of `identity.oidc`; its claim rules hold for the ID token too."""
    client_id: _Word
    """What the issuer knows the console by; its redirect URI is `<public_url>/login/<name>/back`."""
    client_secret: PlainSource | None = None
    """Where the client's secret is read from; a public client has none."""
    scopes: Annotated[str, StringConstraints(max_length=512)] = "openid"
    """What is asked for, with spaces between; `openid` is needed."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "oidc"
    """In the address of this login."""
    label: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "Single sign-on"
    """What the button says."""


class LinkReviewer(_Config):
    """The one person who reads a webhook's messages, and who decides by the links in them."""

    id: _Word
    """The principal, as a login would name it."""
    issuer: Annotated[str, StringConstraints(max_length=512)] | None = None
    """The login's issuer. Without it the name alone counts, and nobody of that name may decide twice."""
    groups: tuple[_Word, ...]
    """The groups for which this person decides."""


class Webhook(_Config):
    """Where a message goes when a request waits: Slack's incoming webhooks, or whatever takes its JSON."""

    url: str
    """`https://`, or `http://` on this machine."""
    secret: PlainSource
    """Signs each message: `X-Tacho-Signature: v1=HMAC-SHA256(secret, "v1:<timestamp>:<body>")`."""
    reviewer: LinkReviewer | None = None
    """With it, messages carry signed links that decide as this person: only for a channel of theirs alone."""
    link_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """How long such a link is good."""

    @field_validator("url")
    @classmethod
    def _private(cls, value: str) -> str:
        return _https(value)


class Console(_Config):
    """The pages on which reviewers see what waits and decide. `tacho up` runs them where this stands."""

    listen: Listen = Listen(port=DEFAULT_PORT)
    """Where people come in; put TLS in front of it."""
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""
    public_url: str | None = None
    """What people type: `https://host`. Needed unless `listen` is this machine only."""
    session_minutes: Annotated[int, Field(ge=5, le=1440)] = 480
    """A login ends after this time."""
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    """... or when nothing was asked for so long."""
    logins: Annotated[tuple[ConsoleLogin, ...], Field(max_length=16)] = ()
    """How people log in. None: only by `tacho console --local-login`."""
    auditors: tuple[_Word, ...] = ()
    """Groups that see every approval without being asked for any."""
    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=16)] = ()
    """Who is told that a request waits."""

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(_https(value))
        if url.path.strip("/") or url.query:
            raise ValueError("expected https://host[:port] without a path")
        return f"{url.scheme}://{url.netloc}".lower()

    @model_validator(mode="after")
    def _reachable(self) -> Console:
        if self.public_url is None and not _is_loopback(self.listen.host):
            raise ValueError("public_url: expected it, because `listen` is not this machine only")
        twice = [name for name, count in Counter(each.name for each in self.logins).items() if count > 1]
        if twice:
            raise ValueError(f"logins: name used twice: {', '.join(twice)}")
        return self


def _https(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("expected https://host[:port]")
    if url.username is not None or url.fragment:
        raise ValueError("expected no userinfo and no fragment")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise ValueError("expected https://, for secrets go over this connection")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
