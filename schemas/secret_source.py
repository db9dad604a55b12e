"""Where secrets are read from: environment, file, the encrypted local store, Vault. Never the configuration.

A source names a place. What lies there is read by the processes that need it and is part of no model.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

__all__ = ["CredentialSources", "PlainSource", "SecretSource", "Vault", "VaultAuth", "VaultSecret"]

Segment = r"[A-Za-z0-9_.~@+=:-]+"
SecretPath = Annotated[
    str, StringConstraints(pattern=rf"^{Segment}(?:/{Segment})*$", min_length=1, max_length=512)
]
EntryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PlainSource(_Config):
    """Where a secret is read from: an environment variable or a file."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The name of an environment variable."""
    file: str | None = None
    """A file readable by its owner only; read again when it changes."""

    @model_validator(mode="after")
    def _exactly_one(self) -> PlainSource:
        places = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(places) != 1:
            raise ValueError(f"expected exactly one of {', '.join(type(self).model_fields)}")
        return self


class VaultSecret(_Config):
    """One value in a key-value engine of Vault or OpenBao."""

    path: SecretPath
    """The secret's path below the mount, as `vault kv get` takes it."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=256)] = "value"
    """Which of the secret's fields."""
    mount: SecretPath = "secret"
    """Where the engine is mounted."""
    kv: Literal[1, 2] = 2
    """The engine's version."""

    @field_validator("path", "mount")
    @classmethod
    def _no_dots(cls, value: str) -> str:
        if {".", ".."} & set(value.split("/")):
            raise ValueError("expected a path without `.` and `..`")
        return value


class SecretSource(PlainSource):
    """Where a secret is read from; exactly one of these."""

    store: EntryName | None = None
    """The name of an entry of the encrypted local store, which `tacho credentials set NAME` makes."""
    vault: VaultSecret | None = None
    """A value in Vault or OpenBao, where `credentials.vault` says how to reach it."""


class VaultAuth(_Config):
    """How the gateway logs in to Vault."""

    method: Literal["token", "approle", "jwt", "kubernetes"] = "token"
    """`kubernetes` is a login with the pod's service account."""
    mount: SecretPath | None = None
    """Where the method is mounted; under its own name by default."""
    role: HeaderText | None = None
    """The role of a `jwt` or `kubernetes` login, or AppRole's role id."""
    secret: PlainSource
    """The token, AppRole's secret id, or the JWT; read again at each login."""

    @model_validator(mode="after")
    def _role(self) -> VaultAuth:
        if (self.method == "token") != (self.role is None):
            raise ValueError("the methods approle, jwt and kubernetes need a role; token takes none")
        return self


class Vault(_Config):
    """HashiCorp Vault or OpenBao, spoken to over HTTP."""

    address: str
    """`https://host[:port]`; `http://` only to this machine, because a token goes there."""
    namespace: HeaderText | None = None
    """The namespace, where there are any."""
    ca_file: str | None = None
    """PEM of the authority that signed its certificate; the system's store by default."""
    auth: VaultAuth
    """How the gateway logs in."""
    refresh_seconds: Annotated[float, Field(ge=3, le=86_400)] = 30
    """Within which a new version of a secret is in use; it is asked for three times as often."""
    timeout: Annotated[float, Field(gt=0, le=60)] = 5
    """Seconds for each step of one question: connecting, and each silence. The whole of it may take 30, or
    twice this where that is longer."""

    @field_validator("address")
    @classmethod
    def _private(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("expected https://host[:port]")
        if url.username is not None or url.query or url.fragment or url.path.strip("/"):
            raise ValueError("expected no userinfo, path, query or fragment")
        if url.scheme == "http" and not _is_loopback(url.hostname):
            raise ValueError("expected https://, for Vault's tokens and secrets go over this connection")
        return value.rstrip("/")


class CredentialSources(_Config):
    """Where the targets' credentials lie, beyond environment and files."""

    store_file: str = "keys/credentials"
    """The encrypted local store."""
    store_key_file: str = "keys/credentials.key"
    """Its key: 32 random bytes, base64, readable by their owner only. `tacho credentials set` makes one."""
    stale_seconds: Seconds = 3600
    """How long the last good value is used while its source cannot be read. After it: 502."""
    vault: Vault | None = None
    """Vault or OpenBao."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
