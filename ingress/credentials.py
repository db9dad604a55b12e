"""The targets' credentials put into requests, and taken out of what the targets say of them.

No value is in a repr, an error or a log. Where values come from, and how long they last, the keeper decides.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

import structlog

from tachograph.credentials.errors import CredentialsError
from tachograph.credentials.keeper import Keeper
from tachograph.ingress.concealment import MIN_CONCEALED, BodyConcealment, spellings
from tachograph.ingress.errors import CredentialMissing
from tachograph.schemas.connection import Connection, Credential, SecretSource
from tachograph.schemas.payload import HeaderField

__all__ = ["CONCEALED", "NO_CREDENTIAL", "CredentialStore", "Taken", "uncompressed"]

CONCEALED = "[target-credential]"
AGENTS_OWN = frozenset({"authorization", "x-api-key", "api-key"})
"""Dropped where the gateway injects the real credential."""

AS_IT_IS = ("Accept-Encoding", "identity")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one exchange injects, taken once: what is sealed into its record is what the target gets."""

    secret: str | None = None
    missing: CredentialMissing | None = None
    """Why there is none where the connection wants one."""
    spelled: tuple[str, ...] = ()
    """The values that must not show: the secret, and the password of Basic credentials alone."""

    def __repr__(self) -> str:
        return f"Taken(missing={self.missing is not None})"


NO_CREDENTIAL = Taken()


class CredentialStore:
    """Knows every connection's credential."""

    def __init__(self, connections: Sequence[Connection], keeper: Keeper) -> None:
        """Reads nothing yet: a missing credential concerns its own connection only; `check` tells of all."""
        self._connections = tuple(connections)
        self._keeper = keeper
        self._patterns: dict[SecretSource, tuple[frozenset[str], re.Pattern[str]]] = {}
        """What finds a source's values in a header, and for which values it was made."""
        self._missing: dict[str, str] = {}
        """Which connections' credentials were last found unreadable, and why."""

    def __repr__(self) -> str:
        return f"CredentialStore(connections={len(self._connections)})"

    def check(self) -> tuple[str, ...]:
        """What is wrong with which connection's credential, as it is now; empty when all can be read."""
        problems = []
        for connection in self._connections:
            for source in _sources(connection):
                try:
                    self._keeper.value(source)
                except CredentialsError as error:
                    problems.append(f"connection {connection.name}: {error.detail}")
        return tuple(problems)

    def take(self, connection: Connection) -> Taken:
        """The connection's credential as it is now, before the exchange is recorded; raises nothing."""
        credential = connection.credential
        if credential is None:
            return NO_CREDENTIAL
        try:
            secret = self._secret_of(connection.name, credential.source)
        except CredentialMissing as missing:
            return Taken(missing=missing)
        if "\n" in secret:  # PEM is no header
            detail = f"the credential of the connection {connection.name} is not one line"
            return Taken(missing=CredentialMissing(detail))
        return Taken(secret, spelled=_spelled(credential, secret))

    def inject(
        self, connection: Connection, target: str, headers: tuple[HeaderField, ...], taken: Taken
    ) -> tuple[str, tuple[HeaderField, ...]]:
        """Target and headers with the real credential in place of the agent's. Raises `CredentialMissing`."""
        credential, secret = connection.credential, taken.secret
        if credential is None:
            return target, headers
        if secret is None:
            raise taken.missing or CredentialMissing(f"none was taken for {connection.name}")
        kept = tuple(item for item in headers if _as_read(item[0]) not in AGENTS_OWN)
        if connection.conceal_body:  # nothing is found in what is compressed
            kept = uncompressed(kept)
        if credential.type == "query":
            return _with_query(target, credential.name or "", secret), kept
        name, value = _header(credential, secret)
        others = (item for item in kept if _as_read(item[0]) != _as_read(name))
        return target, (*others, (name, value))

    def conceal(self, connection: Connection, headers: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
        """The fields of an answer without the injected credential, which a target may send back.

        A redirect repeats the query, a debug header repeats a header; agents must see neither, nor a value
        that was in use a moment ago.
        """
        if connection.credential is None:
            return headers
        pattern = self._pattern(connection.credential.source)
        if not any(pattern.search(value) for _, value in headers):
            return headers
        return tuple((name, pattern.sub(CONCEALED, value)) for name, value in headers)

    def conceal_body(
        self, connection: Connection, headers: tuple[HeaderField, ...]
    ) -> BodyConcealment | None:
        """What takes the credential out of the body with these header fields; None where nothing does."""
        if not connection.conceal_body or connection.credential is None:
            return None
        codings = [value for name, value in headers if name.lower() == "content-encoding"]
        values = spellings(self._keeper.known(connection.credential.source))
        encoded = any(coding.strip().lower() not in {"", "identity"} for coding in codings)
        return BodyConcealment(values) if values and not encoded else None

    def identity(self, connection: Connection) -> Callable[[], str] | None:
        """What gives the PEM of the connection's `client_identity` as it is now, where it has one."""
        source = connection.tls.client_identity
        return None if source is None else lambda: self._secret_of(connection.name, source)

    def _secret_of(self, connection: str, source: SecretSource) -> str:
        """The secret, or a refusal that names no file or variable of the gateway; the log does."""
        try:
            secret = self._keeper.value(source)
        except CredentialsError as error:
            if self._missing.get(connection) != error.detail:
                self._missing[connection] = error.detail
                log.error("credential_missing", connection=connection, reason=error.detail)  # noqa: TRY400  see above
            raise CredentialMissing(
                f"the credential of the connection {connection} cannot be read; the gateway's log says why"
            ) from None
        self._missing.pop(connection, None)
        return secret

    def _pattern(self, source: SecretSource) -> re.Pattern[str]:
        values = self._keeper.known(source)
        made = self._patterns.get(source)
        if made is None or made[0] is not values:
            made = self._patterns[source] = (values, _pattern(values))
        return made[1]


def uncompressed(headers: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
    """The fields of a request whose answer is to come as it is."""
    return (*(item for item in headers if item[0].lower() != "accept-encoding"), AS_IT_IS)


def _sources(connection: Connection) -> tuple[SecretSource, ...]:
    own = (connection.credential.source if connection.credential else None, connection.tls.client_identity)
    return tuple(source for source in own if source is not None)


def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    """Finds each as it is, percent-encoded in any way, and as Basic credentials; and a password alone."""
    forms = []
    for secret in sorted({*secrets, *(value.partition(":")[2] for value in secrets)}, key=len, reverse=True):
        if len(secret) >= MIN_CONCEALED:
            forms.append("".join(f"(?:{re.escape(char)}|%(?i:{ord(char):02x}))" for char in secret))
            forms.append(re.escape(base64.b64encode(secret.encode()).decode()))
    return re.compile("|".join(forms) or r"(?!)")  # without any, it matches nowhere


def _spelled(credential: Credential, secret: str) -> tuple[str, ...]:
    password = secret.partition(":")[2] if credential.type == "basic" else ""  # RFC 7617, 2
    return (secret, password) if password else (secret,)


def _header(credential: Credential, secret: str) -> HeaderField:
    match credential.type:
        case "bearer":
            return "authorization", f"Bearer {secret}"
        case "basic":  # the secret is `user:password` (RFC 7617, 2)
            return "authorization", f"Basic {base64.b64encode(secret.encode()).decode()}"
        case _:
            return credential.name or "", secret


def _as_read(name: str) -> str:
    """A header's name as CGI and WSGI targets compare it: `_` and `-` are one (RFC 3875, 4.1.18)."""
    return name.lower().replace("_", "-")


def _with_query(target: str, name: str, secret: str) -> str:
    """Replace the parameter, or add it; every other byte of the target stays as it came."""
    path, mark, query = target.partition("?")
    kept = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != name] if mark else []
    kept.append(f"{name}={quote(secret, safe='')}")
    return f"{path}?{'&'.join(kept)}"
