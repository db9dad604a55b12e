"""Words for when it is over; the rest stands in the pages' and the API's tests."""

from __future__ import annotations

from typing import Any

from tachograph.console.reviewing import over
from tachograph.schemas.approval_book import Void


async def test_who_was_faster_is_said(world: Any) -> None:
    """By name, and how long ago."""
    approval = world.asks()
    await world.browser_of("ruth", "ops").decide(approval, "deny")
    found = world.desk.book.find(approval.id)
    assert over(found, world.time.wall + 5000) == "This is decided: ruth denied it 5 seconds ago."


async def test_every_reason_of_the_book_has_words(world: Any) -> None:
    """A new one would show by its own text, never as nothing."""
    assert all(str(each) for each in Void)


async def test_a_proxy_does_not_review(world: Any) -> None:
    """Whoever acts through another has no buttons."""
    approval = world.asks("bot")
    from tachograph.console.people import Person
    from tachograph.identity.proof import Proof
    from tachograph.schemas.event import Principal, PrincipalKind

    who = Principal(id="ruth", kind=PrincipalKind.OIDC, actors=("robot",))
    person = Person(Proof(who, frozenset({"ops"})), via="console")
    assert "log in as yourself" in world.reviewing.may_not(person, approval)
