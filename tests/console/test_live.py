"""Open pages hear of changes, and no longer than their login lasts."""

from __future__ import annotations

from typing import Any

from tachograph.console import live
from tachograph.console.people import Person


async def test_a_page_hears_of_a_change_until_its_login_ends(world: Any) -> None:
    """First the version as it is, then each change; with the login the stream ends too."""
    told = world.sessions.begin(Person(_proof(), via="console"), method="sso")
    session = world.sessions.find(told)
    stream = world.live._stream(session)
    assert (await anext(stream)).endswith(b"data: %d\n\n" % world.desk.version)
    assert world.live.open == 1
    world.asks()
    assert await anext(stream) == b"data: %d\n\n" % world.desk.version
    world.sessions.end(told)
    assert [each async for each in stream] == []
    assert world.live.open == 0


async def test_streams_are_bounded_and_let_go_at_the_end(world: Any) -> None:
    """One more is refused; when the process ends nobody is held."""
    world.live.open = live.MAX_STREAMS
    assert (await world.browser_of("ruth").get("/events")).status_code == 503
    world.live.open = 0
    told = world.sessions.begin(Person(_proof(), via="console"), method="sso")
    stream = world.live._stream(world.sessions.find(told))
    await anext(stream)
    world.live.close()
    assert [each async for each in stream] in ([], [b"data: %d\n\n" % world.desk.version])


def _proof() -> Any:
    from tachograph.identity.proof import Proof
    from tachograph.schemas.event import Principal, PrincipalKind

    return Proof(Principal(id="ruth", kind=PrincipalKind.OIDC))
