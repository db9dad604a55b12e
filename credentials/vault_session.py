"""Vault over HTTP: one login, its token kept alive, questions asked. Blocking, and bounded as a whole.

Who asks is free again after `MAX_ANSWER_SECONDS`, or twice the time-out where that is longer: with the login
that the question needed, with the wait for another thread's, and however lively Vault is about it. A token
that Vault no longer takes is replaced by one new login for each question; redirects are not followed, for
they would take the token elsewhere.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tachograph.credentials.deadline import DeadlinePassed, DeadlineTransport, within
from tachograph.credentials.errors import SecretUnreadable, VaultDown, VaultRefused
from tachograph.credentials.provider import read_plain
from tachograph.credentials.vault_api import (
    LOOKUP_SELF,
    RENEW_SELF,
    Answer,
    Question,
    Token,
    login,
    looked_up,
    token_in,
)
from tachograph.schemas.secret_source import Vault

__all__ = ["MAX_ANSWER_BYTES", "MAX_ANSWER_SECONDS", "RELOGIN_SECONDS", "VaultSession"]

MAX_ANSWER_BYTES = 1 << 20
MAX_ANSWER_SECONDS = 30.0
"""For a question as a whole, from the login to the last byte, unless twice its time-out is longer."""
RENEW_AT = 2 / 3
"""Of a token's lease, from which on it is renewed."""
RELOGIN_SECONDS = 30.0
"""How often a refused question may lead to a new login; each may use up a secret id."""


class VaultSession:
    """One Vault, one login, for several threads."""

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
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._relogin_at = 0.0
        self._client = httpx.Client(
            base_url=f"{settings.address}/v1/",
            transport=DeadlineTransport(_context(settings, base)),
            timeout=settings.timeout,
            headers={"x-vault-request": "true"}
            | ({"x-vault-namespace": settings.namespace} if settings.namespace else {}),
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"VaultSession({self._settings.address!r})"

    def close(self) -> None:
        """Close its connections; the token is left to expire."""
        self._client.close()

    def ask(self, question: Question) -> Answer:
        """The answer, whatever its status. Raises `VaultRefused`, `VaultDown` or `SecretUnreadable`."""
        until = self._monotonic() + self._bound
        token = self._current(until)
        answer = self._ask(question, until, token=token.text)
        if answer.status == 403 and self._let_go(token, until):  # perhaps the token was revoked
            answer = self._ask(question, until, token=self._current(until).text)
        return answer

    @property
    def _bound(self) -> float:
        return max(MAX_ANSWER_SECONDS, 2 * self._settings.timeout)

    @contextmanager
    def _alone(self, until: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(until - self._monotonic(), 0.0)):
            raise VaultDown(f"{self._where}: no login within {self._bound:g} s")
        try:
            yield
        finally:
            self._lock.release()

    def _current(self, until: float) -> Token:
        with self._alone(until):
            now = self._monotonic()
            token = self._token
            if token is not None and now >= self._renew_at:
                token = self._renewed(token, now, until)
            if token is None:
                self._token = None
                token = self._keep(self._login(until), now)
                self._relogin_at = now + RELOGIN_SECONDS
            return token

    def _let_go(self, token: Token, until: float) -> bool:
        """Whether there is, or may be, another one than this."""
        with self._alone(until):
            if self._token is token:
                if self._monotonic() < self._relogin_at:
                    return False
                self._token = None
            return True

    def _renewed(self, token: Token, now: float, until: float) -> Token | None:
        if not token.renewable:
            return None
        try:
            renewed = token_in(self._ask(RENEW_SELF, until, token=token.text), before=token.text)
        except (VaultRefused, VaultDown):
            return None  # a new login says what is wrong, if anything is
        if not renewed.lease:  # at the end of its longest life
            return None
        return self._keep(renewed, now)

    def _login(self, until: float) -> Token:
        auth = self._settings.auth
        # A service account's token is mounted so that every process of the pod can read it.
        shared = auth.method in {"jwt", "kubernetes"}
        secret = read_plain(auth.secret, base=self._base, environ=self._environ, shared=shared)
        if auth.method == "token":
            return looked_up(self._ask(LOOKUP_SELF, until, token=secret), secret)
        return token_in(self._ask(login(auth, secret), until))

    def _keep(self, token: Token, now: float) -> Token:
        self._token = token
        self._renew_at = now + token.lease * RENEW_AT if token.lease else float("inf")
        return token

    def _ask(self, question: Question, until: float, *, token: str | None = None) -> Answer:
        try:
            with self._client.stream(
                question.method,
                question.path,
                json=question.body,
                headers={} if token is None else {"x-vault-token": token},
                extensions=within(until - self._monotonic()),
            ) as response:
                body = b""
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise VaultDown(f"{self._where}: an answer of more than {MAX_ANSWER_BYTES} bytes")
                return Answer(response.status_code, body)
        except DeadlinePassed:
            raise VaultDown(f"{self._where}: no whole answer within {self._bound:g} s") from None
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
