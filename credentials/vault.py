"""Vault over HTTP: logs in, keeps its token alive, reads secrets. Blocking, and every step of it bounded.

It runs in a thread of its own (`keeper.py`). A token that Vault no longer takes is replaced by one new login
for each question; redirects are not followed, for they would take the token elsewhere.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path

import httpx

from tachograph.credentials.errors import SecretUnreadable, VaultDown, VaultRefused
from tachograph.credentials.provider import read_plain
from tachograph.credentials.secret import Secret
from tachograph.credentials.vault_api import (
    LOOKUP_SELF,
    RENEW_SELF,
    Answer,
    Question,
    Token,
    login,
    looked_up,
    read_secret,
    secret_in,
    token_in,
)
from tachograph.schemas.secret_source import SecretSource, Vault

__all__ = ["MAX_ANSWER_BYTES", "MAX_ANSWER_SECONDS", "VaultProvider"]

MAX_ANSWER_BYTES = 1 << 20
MAX_ANSWER_SECONDS = 30.0
"""For an answer as a whole, however many bytes it comes in."""
RENEW_AT = 2 / 3
"""Of a token's lease, from which on it is renewed."""
RELOGIN_SECONDS = 30.0
"""How often a refused question may lead to a new login; each may use up a secret id."""


class VaultProvider:
    """One Vault, one login. Not safe for several threads at once."""

    def __init__(
        self,
        settings: Vault,
        *,
        base: Path,
        environ: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Speaks to nobody yet. Raises `SecretUnreadable` for a CA file that will not do."""
        self._settings = settings
        self._base = base
        self._environ = environ
        self._monotonic = monotonic
        self._token: Token | None = None
        self._renew_at = 0.0
        self._relogin_at = 0.0
        self._client = httpx.Client(
            base_url=f"{settings.address}/v1/",
            verify=_context(settings, base),
            timeout=settings.timeout,
            headers={"x-vault-request": "true"}
            | ({"x-vault-namespace": settings.namespace} if settings.namespace else {}),
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"VaultProvider({self._settings.address!r})"

    def close(self) -> None:
        """Close its connections; the token is left to expire."""
        self._client.close()

    def stamp(self, _source: SecretSource) -> Hashable:
        """Only asking tells whether something has changed."""
        return self._monotonic()

    def read(self, source: SecretSource) -> Secret:
        """The newest version. Raises `VaultRefused`, `VaultDown` or `SecretUnreadable`."""
        if source.vault is None:
            raise SecretUnreadable("expected a secret in Vault")
        question = read_secret(source.vault)
        self._ensure_token()
        answer = self._ask(question)
        if answer.status == 403 and self._monotonic() >= self._relogin_at:  # perhaps the token was revoked
            self._token = None
            self._ensure_token()
            answer = self._ask(question)
        return secret_in(answer, source.vault)

    def _ensure_token(self) -> None:
        now = self._monotonic()
        if self._token is not None and now < self._renew_at:
            return
        if self._token is None or not self._renewed(self._token, now):
            self._token = None
            self._keep(self._login(), now)
            self._relogin_at = now + RELOGIN_SECONDS

    def _renewed(self, token: Token, now: float) -> bool:
        if not token.renewable:
            return False
        try:
            renewed = token_in(self._ask(RENEW_SELF), before=token.text)
        except (VaultRefused, VaultDown):
            return False  # a new login says what is wrong, if anything is
        if not renewed.lease:  # at the end of its longest life
            return False
        self._keep(renewed, now)
        return True

    def _login(self) -> Token:
        auth = self._settings.auth
        # A service account's token is mounted so that every process of the pod can read it.
        shared = auth.method in {"jwt", "kubernetes"}
        secret = read_plain(auth.secret, base=self._base, environ=self._environ, shared=shared)
        if auth.method == "token":
            return looked_up(self._ask(LOOKUP_SELF, token=secret), secret)
        return token_in(self._ask(login(auth, secret)))

    def _keep(self, token: Token, now: float) -> None:
        self._token = token
        self._renew_at = now + token.lease * RENEW_AT if token.lease else float("inf")

    def _ask(self, question: Question, *, token: str | None = None) -> Answer:
        token = token or (self._token.text if self._token is not None else None)
        until = self._monotonic() + MAX_ANSWER_SECONDS
        try:
            with self._client.stream(
                question.method,
                question.path,
                json=question.body,
                headers={} if token is None else {"x-vault-token": token},
            ) as response:
                body = b""
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES or self._monotonic() > until:
                        raise VaultDown(
                            f"{self._where}: an answer of more than {MAX_ANSWER_BYTES} bytes or "
                            f"{MAX_ANSWER_SECONDS:g} s"
                        )
                return Answer(response.status_code, body)
        except httpx.TimeoutException:
            raise VaultDown(f"{self._where}: no answer within {self._settings.timeout:g} s") from None
        except httpx.HTTPError as error:
            raise VaultDown(f"{self._where}: {_words(error)}") from None

    @property
    def _where(self) -> str:
        return f"Vault at {self._settings.address}"


def _words(error: httpx.HTTPError) -> str:
    """What failed, in our words: a foreign text may quote what it worked on."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate was not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return f"broke off ({type(error).__name__})"


def _context(settings: Vault, base: Path) -> ssl.SSLContext:
    path = None if settings.ca_file is None else str(base / settings.ca_file)
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        raise SecretUnreadable(f"credentials.vault.ca_file: expected a PEM file in {path}") from None
