"""A connection registers one target: what it speaks, where it is, and which credential the gateway injects.

The agent names the connection (`/c/<name>/...`); it never names the target and never holds its credential.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tachograph.schemas.event import Protocol
from tachograph.schemas.secret_source import SecretSource

__all__ = ["Connection", "Credential", "FieldNames", "SecretSource", "Timeouts", "UpstreamTls"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Credential(_Config):
    """The target's credential, injected by the gateway in place of the agent's own."""

    type: Literal["header", "bearer", "basic", "query"] = "bearer"
    """How the target wants it."""
    name: HeaderName | None = None
    """The header's or query parameter's name, for the types `header` and `query`."""
    source: SecretSource
    """Where it is read from."""

    @model_validator(mode="after")
    def _named(self) -> Credential:
        if self.type in {"header", "query"} and self.name is None:
            raise ValueError(f"a credential of type {self.type} needs a name")
        return self


class UpstreamTls(_Config):
    """How the target's certificate is verified, and what the gateway shows of itself."""

    ca_file: str | None = None
    """PEM of the authority that signed the target's certificate; the system's store by default."""
    client_cert_file: str | None = None
    """PEM of the gateway's own certificate, for mutual TLS."""
    client_key_file: str | None = None
    """PEM of its key."""
    client_identity: SecretSource | None = None
    """Certificate, chain and key in one PEM, from any place of secrets, in the place of the two files."""
    server_name: str | None = None
    """The name that the certificate must carry, where it is not the upstream host."""

    @model_validator(mode="after")
    def _pair(self) -> UpstreamTls:
        if (self.client_cert_file is None) != (self.client_key_file is None):
            raise ValueError("client_cert_file and client_key_file go together")
        if self.client_cert_file is not None and self.client_identity is not None:
            raise ValueError("expected client_identity or the two files, not both")
        return self


class Timeouts(_Config):
    """Bounds of one exchange in seconds. `read` is the longest silence; SSE pings count as life."""

    connect: Seconds = 10
    """Until the connection and its TLS stand."""
    response: Seconds = 600
    """From the end of the request to the head of the response."""
    read: Seconds = 300
    """Silence within a response."""
    write: Seconds = 60
    """For the target to take what was sent."""


class FieldNames(_Config):
    """Fields of this target that are secret whatever they hold; names compare without case."""

    headers: tuple[str, ...] = ()
    """Header names."""
    query: tuple[str, ...] = ()
    """Query and form parameters."""
    json_keys: tuple[str, ...] = ()
    """JSON keys, at any depth; MCP tool arguments are JSON keys."""


class Connection(_Config):
    """One registered target."""

    name: Name
    """What the agent calls it: `/c/<name>/`."""
    protocol: Protocol
    """`http`, `llm` or `mcp`."""
    upstream: str
    """`http://` or `https://`, a host, perhaps a port and a path prefix; no query, no userinfo."""
    hosts: tuple[str, ...] = ()
    """Host names that select this connection besides `/c/<name>/`."""
    tls: UpstreamTls = UpstreamTls()
    """TLS towards the target."""
    credential: Credential | None = None
    """The target's credential. Without one the agent's own goes through, less the gateway key."""
    conceal_body: bool = False
    """Fill up the credential with `*` where a body repeats it; the target is asked for bodies as they are."""
    timeouts: Timeouts = Timeouts()
    """Bounds of one exchange."""
    masking: FieldNames = FieldNames()
    """What is hidden here besides the rules for all."""
    allow: tuple[str, ...] = ("*",)
    """Principals that may use it; `*` is every verified one."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Free words for analysts: environment, owner, sensitivity."""

    @field_validator("upstream")
    @classmethod
    def _target(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("expected http://host[:port][/prefix] or https://host[:port][/prefix]")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("expected no userinfo, query or fragment: credentials go under `credential`")
        if url.port == 0:
            raise ValueError("expected a port from 1 to 65535")
        return value.rstrip("/")
