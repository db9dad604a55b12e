"""The targets' credentials: read from where the configuration says, kept in memory, put into requests.

A file that changes is read again, so a rotation needs no restart. No value is in a repr, an error or a log.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import structlog

from tachograph.ingress.errors import CredentialMissing
from tachograph.ingress.secret_source import read_secret
from tachograph.schemas.connection import Connection, Credential, SecretSource
from tachograph.schemas.payload import HeaderField

__all__ = ["CONCEALED", "CredentialStore"]

LOOK_SECONDS = 1.0
"""How often a credential's file is looked at, at most."""
MIN_CONCEALED = 8
"""A secret shorter than this is not looked for in answers: it would be found in innocent words."""
CONCEALED = "[target-credential]"
AGENTS_OWN = frozenset({"authorization", "x-api-key", "api-key"})
"""Dropped where the gateway injects the real credential."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    """One secret and what its file looked like when it was read. `repr` does not show it."""

    value: str
    stamp: tuple[int, int, int] | None
    looked: float
    pattern: re.Pattern[str] = field(init=False)
    """Finds the value in a header, percent-encoded or not."""

    def __post_init__(self) -> None:
        self.pattern = _pattern(self.value)

    def __repr__(self) -> str:
        return "_Held([redacted])"


class CredentialStore:
    """Knows every connection's credential."""

    def __init__(
        self,
        connections: Sequence[Connection],
        *,
        base: Path,
        environ: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads nothing yet: a missing credential concerns its own connection only; `check` tells of all."""
        self._connections = tuple(connections)
        self._base = base
        self._environ = os.environ if environ is None else environ
        self._monotonic = monotonic
        self._held: dict[SecretSource, _Held] = {}
        self._missing: dict[str, str] = {}
        """Which connections' credentials were last found unreadable, and why."""

    def __repr__(self) -> str:
        return f"CredentialStore(connections={len(self._connections)})"

    def check(self) -> tuple[str, ...]:
        """What is wrong with which connection's credential, as it is now; empty when all can be read."""
        problems = []
        for connection in self._connections:
            if connection.credential is not None:
                try:
                    self._secret(connection.credential.source)
                except CredentialMissing as error:
                    problems.append(f"connection {connection.name}: {error.detail}")
        return tuple(problems)

    def inject(
        self, connection: Connection, target: str, headers: tuple[HeaderField, ...]
    ) -> tuple[str, tuple[HeaderField, ...]]:
        """Target and headers with the real credential in place of the agent's. Raises `CredentialMissing`."""
        credential = connection.credential
        if credential is None:
            return target, headers
        secret = self._secret_of(connection.name, credential.source)
        kept = tuple(item for item in headers if item[0].lower() not in AGENTS_OWN)
        if credential.type == "query":
            return _with_query(target, credential.name or "", secret), kept
        name, value = _header(credential, secret)
        return target, (*(item for item in kept if item[0].lower() != name.lower()), (name, value))

    def conceal(self, connection: Connection, headers: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
        """The fields of an answer without the injected credential, which a target may send back.

        A redirect repeats the query, a debug header repeats a header; agents must see neither.
        """
        source = connection.credential.source if connection.credential is not None else None
        held = self._held.get(source) if source is not None else None
        if held is None or not any(held.pattern.search(value) for _, value in headers):
            return headers
        return tuple((name, held.pattern.sub(CONCEALED, value)) for name, value in headers)

    def _secret_of(self, connection: str, source: SecretSource) -> str:
        """The secret, or a refusal that names no file or variable of the gateway; the log does."""
        try:
            secret = self._secret(source)
        except CredentialMissing as error:
            if self._missing.get(connection) != error.detail:
                self._missing[connection] = error.detail
                log.error("credential_missing", connection=connection, reason=error.detail)  # noqa: TRY400  see above
            raise CredentialMissing(
                f"the credential of the connection {connection} cannot be read; the gateway's log says why"
            ) from None
        self._missing.pop(connection, None)
        return secret

    def _secret(self, source: SecretSource) -> str:
        held = self._held.get(source)
        now = self._monotonic()
        if held is not None and now - held.looked < LOOK_SECONDS:
            return held.value
        stamp = self._stamp(source)
        if held is None or stamp != held.stamp:
            held = self._read(source, held, stamp)
            self._held[source] = held
        held.looked = now
        return held.value

    def _read(self, source: SecretSource, held: _Held | None, stamp: tuple[int, int, int] | None) -> _Held:
        try:
            value = read_secret(source, base=self._base, environ=self._environ)
        except CredentialMissing as error:
            if held is None:
                raise
            # In the middle of a rotation the old value is the best there is.
            log.error("credential_kept", reason=error.detail)  # noqa: TRY400  the reason is all there is
            value = held.value
        return _Held(value, stamp, self._monotonic())

    def _stamp(self, source: SecretSource) -> tuple[int, int, int] | None:
        if source.file is None:
            return None
        try:
            status = (self._base / source.file).stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def _pattern(secret: str) -> re.Pattern[str]:
    if len(secret) < MIN_CONCEALED:
        return re.compile(r"(?!)")  # matches nowhere
    encoded = "".join(f"(?:{re.escape(char)}|%(?i:{ord(char):02x}))" for char in secret)
    basic = re.escape(base64.b64encode(secret.encode()).decode())
    return re.compile(f"{encoded}|{basic}")


def _header(credential: Credential, secret: str) -> HeaderField:
    match credential.type:
        case "bearer":
            return "authorization", f"Bearer {secret}"
        case "basic":  # the secret is `user:password` (RFC 7617, 2)
            return "authorization", f"Basic {base64.b64encode(secret.encode()).decode()}"
        case _:
            return credential.name or "", secret


def _with_query(target: str, name: str, secret: str) -> str:
    """Replace the parameter, or add it; every other byte of the target stays as it came."""
    path, mark, query = target.partition("?")
    kept = [pair for pair in query.split("&") if pair.partition("=")[0] != name] if mark else []
    kept.append(f"{name}={quote(secret, safe='')}")
    return f"{path}?{'&'.join(kept)}"
