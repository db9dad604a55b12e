"""Who is logged in: random ids, bounded in time and number, known by their hash."""

from __future__ import annotations

import itertools
from dataclasses import replace

from tachograph.console import sessions
from tachograph.console.people import Person
from tachograph.console.sessions import OneTime, Sessions, same
from tachograph.identity.proof import Proof
from tachograph.schemas.event import Principal, PrincipalKind

RUTH = Person(Proof(Principal(id="ruth", kind=PrincipalKind.OIDC)), via="console")


class _World:
    def __init__(self) -> None:
        self.now = 0.0
        self._count = itertools.count(1)

    def monotonic(self) -> float:
        return self.now

    def randomness(self, size: int) -> bytes:
        return next(self._count).to_bytes(size, "big")


def test_a_session_ends_in_time_even_if_used() -> None:
    """Use keeps it from idling out, not from ending."""
    world = _World()
    kept = Sessions(seconds=100, idle_seconds=30, monotonic=world.monotonic, randomness=world.randomness)
    told = kept.begin(RUTH, method="sso")
    for world.now in (25, 50, 75, 99):
        found = kept.find(told)
        assert found is not None
    assert kept.live(found)
    world.now = 100
    assert not kept.live(found)
    assert kept.find(told) is None
    assert len(kept) == 0


def test_a_session_ends_with_what_the_login_proved() -> None:
    """A provider that says how long its own session lasts is heard, if that is sooner."""
    world = _World()
    kept = Sessions(
        seconds=100,
        idle_seconds=100,
        monotonic=world.monotonic,
        randomness=world.randomness,
        now=lambda: 5_000.0 + world.now,
    )
    short, long, over = (
        kept.begin(Person(replace(RUTH.proof, expires=expires), via="console"), method="saml")
        for expires in (5_010.0, 9_000.0, 5_000.0)
    )
    assert kept.find(over) is None
    world.now = 9
    assert kept.find(short) is not None
    world.now = 10
    assert kept.find(short) is None
    assert kept.find(long) is not None


def test_what_is_kept_is_not_the_id_and_no_repr_shows_the_token() -> None:
    """A look at the memory of the table gives nobody a cookie."""
    world = _World()
    kept = Sessions(seconds=9, idle_seconds=9, monotonic=world.monotonic, randomness=world.randomness)
    told = kept.begin(RUTH, method="sso")
    session = kept.find(told)
    assert session is not None
    assert told.encode() not in b"".join(kept._open)
    assert session.csrf not in repr(session)


def test_the_least_used_one_goes_when_there_are_too_many() -> None:
    """A bound, by name."""
    world = _World()
    kept = Sessions(seconds=1e9, idle_seconds=1e9, monotonic=world.monotonic, randomness=world.randomness)
    first = kept.begin(RUTH, method="sso")
    for world.now in range(1, sessions.MAX_SESSIONS + 1):
        kept.begin(RUTH, method="sso")
    assert len(kept) == sessions.MAX_SESSIONS
    assert kept.find(first) is None


def test_a_one_time_value_is_taken_once_and_in_time() -> None:
    """A second time, too late, or pushed out by newer ones: gone."""
    world = _World()
    kept: OneTime[str] = OneTime(seconds=10, most=2, monotonic=world.monotonic, randomness=world.randomness)
    one = kept.keep("a")
    assert (kept.take(one), kept.take(one), kept.take("")) == ("a", None, None)
    pushed, late = kept.keep("b"), kept.keep("c")
    kept.keep("d")
    assert kept.take(pushed) is None
    world.now = 10
    assert kept.take(late) is None
    assert len(kept) == 1


def test_equal_secrets_are_equal() -> None:
    """Also beyond ASCII."""
    assert same("ä\ud800", "ä\ud800")
    assert not same("a", "b")
