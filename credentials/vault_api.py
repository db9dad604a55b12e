"""The part of Vault's HTTP API that is used here, as values: which question to ask, and what an answer says.

Logins (token, AppRole, JWT, Kubernetes), renewal of the token, and key-value engines of version 1 and 2
(developer.hashicorp.com/vault/api-docs; OpenBao's is the same). Nothing that Vault says is repeated in an
error: what it quotes may be secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from tachograph.credentials.errors import CredentialsError, VaultDown, VaultRefused
from tachograph.credentials.secret import Secret, decoded
from tachograph.schemas.secret_source import VaultAuth, VaultSecret

__all__ = [
    "LOOKUP_SELF",
    "RENEW_SELF",
    "Answer",
    "Question",
    "Token",
    "content",
    "login",
    "looked_up",
    "read_secret",
    "secret_in",
    "section",
    "token_in",
]

_REFUSALS = {400: "refused the question", 403: "permission denied", 404: "nothing there"}


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request below `/v1/`; its body is JSON. `repr` does not show it: it may hold a secret."""

    method: Literal["GET", "POST"]
    path: str
    body: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"Question({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body as they came. `repr` shows the status only."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gives. `lease` is in seconds, 0 for ever. `repr` does not show it."""

    text: str
    lease: float = 0
    renewable: bool = False

    def __repr__(self) -> str:
        return f"Token(lease={self.lease:g})"


RENEW_SELF = Question("POST", "auth/token/renew-self", {})
LOOKUP_SELF = Question("GET", "auth/token/lookup-self")


def login(auth: VaultAuth, secret: str) -> Question:
    """The login by AppRole, JWT or Kubernetes; with a token there is none, see `LOOKUP_SELF`."""
    mount = quote(auth.mount or auth.method)
    role = auth.role or ""
    body = (
        {"role_id": role, "secret_id": secret} if auth.method == "approle" else {"role": role, "jwt": secret}
    )
    return Question("POST", f"auth/{mount}/login", body)


def read_secret(secret: VaultSecret) -> Question:
    """The question for a secret's newest version."""
    middle = "/data/" if secret.kv == 2 else "/"
    return Question("GET", f"{quote(secret.mount)}{middle}{quote(secret.path)}")


def token_in(answer: Answer, *, before: str = "") -> Token:
    """The token that a login or a renewal gave; a renewal may leave its text out, it is `before` still."""
    auth = section(content(answer, "login"), "auth", "login")
    return _token(auth, auth.get("client_token") or before, lease="lease_duration")


def looked_up(answer: Answer, text: str) -> Token:
    """What Vault knows about a token that was given to us."""
    return _token(section(content(answer, "token"), "data", "token"), text, lease="ttl")


def secret_in(answer: Answer, secret: VaultSecret) -> Secret:
    """The value that was asked for. Raises `VaultRefused` or `VaultDown`."""
    where = f"{secret.mount}/{secret.path}"
    data = section(content(answer, where), "data", where)
    version = ""
    if secret.kv == 2:
        version = f"version {section(data, 'metadata', where).get('version', '?')}"
        data = section(data, "data", where)
    value = data.get(secret.key)
    if value is None:
        raise VaultRefused(f"Vault {where}: the secret has no field {secret.key}")
    if not isinstance(value, str):
        raise VaultRefused(f"Vault {where}: expected text in the field {secret.key}")
    return Secret(decoded(value, f"Vault {where}, field {secret.key}"), version)


def _token(values: Mapping[str, Any], text: object, *, lease: str) -> Token:
    seconds, renewable = values.get(lease), values.get("renewable")
    if not isinstance(text, str) or not text or not (text.isascii() and text.isprintable()):
        raise VaultDown("Vault: expected a token in the answer to a login")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        raise VaultDown("Vault: expected a token's lease in seconds")
    return Token(text, seconds, renewable is True)


def content(answer: Answer, what: str) -> Mapping[str, Any]:
    """The answer's JSON object, or the error that its status stands for."""
    if answer.status != 200:
        raise _error(answer.status, what)
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise VaultDown(f"Vault {what}: expected a JSON object, got something else: is `address` Vault's?")
    return found


def section(values: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    """One object of the answer. Raises `VaultDown`."""
    found = values.get(name)
    if not isinstance(found, dict):
        raise VaultDown(f"Vault {what}: expected `{name}` in the answer: is `kv` the engine's version?")
    return found


def _error(status: int, what: str) -> CredentialsError:
    if status in _REFUSALS:
        return VaultRefused(f"Vault {what}: {_REFUSALS[status]} ({status}); see mount, path, role and policy")
    if status == 503:
        return VaultDown(f"Vault {what}: sealed or in maintenance (503)")
    if 300 <= status < 400:
        return VaultDown(f"Vault {what}: redirects ({status}), which is not followed: name the active node")
    if status == 429:
        return VaultDown(f"Vault {what}: too many questions (429): raise refresh_seconds, or its quota")
    return VaultDown(f"Vault {what}: status {status}")
