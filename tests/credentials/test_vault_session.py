"""One login serves all threads, and what it is for is asked again only where a new one may help."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials import vault_session
from tachograph.credentials.errors import VaultDown, VaultRefused
from tachograph.credentials.vault_api import Answer, Question
from tachograph.credentials.vault_session import RELOGIN_SECONDS, VaultSession
from tachograph.schemas.secret_source import Vault

LOGIN = (200, {}, b'{"auth":{"client_token":"t","lease_duration":60,"renewable":false}}')
REFUSED = (403, {}, b"")
GIVEN = (200, {}, b"{}")
ASKED = Question("GET", "x")
LATE = 20.0
"""A busy machine may be so late."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(raw: Any, clock: Clock, tmp_path: Path) -> Iterator[VaultSession]:
    auth = {"method": "approle", "role": "r", "secret": {"env": "S"}}
    settings = Vault.model_validate({"address": raw.url, "auth": auth})
    made = VaultSession(settings, base=tmp_path, environ={"S": "s3cret"}, monotonic=clock)
    yield made
    made.close()


def test_threads_share_one_login(raw: Any, session: VaultSession) -> None:
    """Eight questions at once, one token for all of them."""
    raw.answers = [LOGIN, *[GIVEN] * 8]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: session.ask(ASKED), range(8)))
    assert answers == [Answer(200, b"{}")] * 8
    assert [path for _, path, _ in raw.asked].count("/v1/auth/approle/login") == 1
    assert repr(session) == f"VaultSession({raw.url!r})"


def test_a_refused_question_is_asked_again_under_a_new_login_once(
    raw: Any, session: VaultSession, clock: Clock
) -> None:
    """But not so soon after the last one: each login may use up a secret id."""
    raw.answers = [LOGIN, REFUSED]
    assert session.ask(ASKED).status == 403
    clock.now += RELOGIN_SECONDS
    raw.answers = [REFUSED, LOGIN, GIVEN]
    assert session.ask(ASKED).status == 200
    raw.answers = [REFUSED]
    assert session.ask(ASKED).status == 403


def test_who_was_refused_takes_the_token_that_another_thread_has_got(
    raw: Any, session: VaultSession, clock: Clock
) -> None:
    """A login for each thread would be one too many."""
    raw.answers = [LOGIN, GIVEN]
    session.ask(ASKED)
    old = session._token
    assert old is not None
    clock.now += RELOGIN_SECONDS
    raw.answers = [REFUSED, LOGIN, GIVEN]
    session.ask(ASKED)
    assert session._let_go(old, clock.now + 30)
    assert session._token is not None


def test_a_login_that_is_refused_is_said(raw: Any, session: VaultSession) -> None:
    """As an error of its own, which names no secret."""
    raw.answers = [REFUSED]
    with pytest.raises(VaultRefused, match="login: permission denied") as refusal:
        session.ask(ASKED)
    assert "s3cret" not in str(refusal.value)


class Dripping:
    """A Vault whose headers come byte by byte and never end, to as many as ask."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def close(self) -> None:
        self._stopped.set()
        socket.create_connection(self._socket.getsockname()).close()  # it waits for one
        for thread in self._threads:
            thread.join(LATE)
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            thread = threading.Thread(target=self._answer, args=(self._socket.accept()[0],))
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not self._stopped.wait(0.02):
                    connection.sendall(b"a")
            except OSError:
                pass  # who asked has gone


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    made = Dripping()
    yield made
    made.close()


def test_threads_are_free_again_however_a_vault_drips(
    dripping: Dripping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them within the one bound: nobody waits for the logins of those before, one after the other."""
    monkeypatch.setattr(vault_session, "MAX_ANSWER_SECONDS", 0.0)
    auth = {"method": "token", "secret": {"env": "S"}}
    settings = Vault.model_validate({"address": dripping.url, "auth": auth, "timeout": 0.5})
    made = VaultSession(settings, base=tmp_path, environ={"S": "s3cret"})
    began = time.monotonic()
    with ThreadPoolExecutor(32) as threads:
        asked = [threads.submit(made.ask, ASKED) for _ in range(32)]
        for one in asked:
            with pytest.raises(VaultDown, match="within"):
                one.result(LATE)
    assert time.monotonic() - began < LATE  # one after the other they would take 32 s
    assert not made._lock.locked()
    made.close()


def test_a_bound_is_twice_the_time_out_where_that_is_longer(tmp_path: Path) -> None:
    """A Vault that may be silent for a minute is not given up within it."""
    auth = {"method": "token", "secret": {"env": "S"}}
    for timeout, bound in ((5, vault_session.MAX_ANSWER_SECONDS), (60, 120)):
        settings = Vault.model_validate({"address": "http://127.0.0.1:9", "auth": auth, "timeout": timeout})
        made = VaultSession(settings, base=tmp_path, environ={})
        assert made._bound == bound
        made.close()
