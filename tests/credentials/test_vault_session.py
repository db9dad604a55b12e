"""One login serves all threads, and what it is for is asked again only where a new one may help."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials.errors import VaultRefused
from tachograph.credentials.vault_api import Answer, Question
from tachograph.credentials.vault_session import RELOGIN_SECONDS, VaultSession
from tachograph.schemas.secret_source import Vault

LOGIN = (200, {}, b'{"auth":{"client_token":"t","lease_duration":60,"renewable":false}}')
REFUSED = (403, {}, b"")
GIVEN = (200, {}, b"{}")
ASKED = Question("GET", "x")


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
    assert session._let_go(old)
    assert session._token is not None


def test_a_login_that_is_refused_is_said(raw: Any, session: VaultSession) -> None:
    """As an error of its own, which names no secret."""
    raw.answers = [REFUSED]
    with pytest.raises(VaultRefused, match="login: permission denied") as refusal:
        session.ask(ASKED)
    assert "s3cret" not in str(refusal.value)
