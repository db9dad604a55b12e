"""Deciding by a link: looking decides nothing, the button decides once, for one person and one request."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tachograph.console.links import LinkKey
from tachograph.console.webhook import decision_links
from tachograph.schemas.approval_book import State
from tachograph.schemas.console_settings import LinkReviewer

RUTH = LinkReviewer(id="ruth", issuer="https://idp.example", groups=("ops", "sales"))


def links(world: Any, approval: Any, who: LinkReviewer = RUTH, **more: Any) -> dict[str, str]:
    values = {"key": world.link_key, "now_ms": world.time.wall, "minutes": 5} | more
    return decision_links(approval.requested, who, **values)


async def pressed(browser: Any, path: str) -> Any:
    page = (await browser.get(path)).text
    shown = re.search(r'name="shown" value="([0-9a-f]*)"', page)
    return await browser.post(path, {"shown": shown[1] if shown else "", "comment": "by link"})


@pytest.mark.parametrize(("verdict", "state"), [("approve", State.APPROVED), ("deny", State.DENIED)])
async def test_the_button_decides_and_looking_does_not(world: Any, verdict: str, state: State) -> None:
    """However often a program follows the link, nothing happens; one press is that person's word."""
    approval = world.asks()
    path, browser = links(world, approval)[verdict], world.browser_of()
    for _ in range(3):
        assert "as ruth?" in (await browser.get(path)).text
        assert (await browser.client.head(path)).status_code in {200, 405}
    assert len(world.log) == 1
    assert "Recorded" in (await pressed(browser, path)).text
    assert world.desk.book.find(approval.id).state(world.time.wall) is state
    said = world.log[-1]
    assert (said.reviewer.via, said.reviewer.principal.id, said.reviewer.groups) == (
        "webhook",
        "ruth",
        ("ops",),
    )
    assert said.comment == "by link"


async def test_a_replay_is_refused(world: Any) -> None:
    """A second press, and one after this console forgot everything: the log knows the link's decision."""
    approval = world.asks()
    path, browser = links(world, approval)["deny"], world.browser_of()
    await pressed(browser, path)
    again = await browser.post(path, {"shown": ""})
    assert again.status_code == 403
    assert "used before" in again.text
    assert len(world.log) == 2


async def test_a_link_is_for_its_request_person_time_and_console(world: Any) -> None:
    """An altered one, another key's, an old one, a stranger's, the requester's: nothing is decided."""
    approval = world.asks()
    path, browser = links(world, approval)["approve"], world.browser_of()
    forged = links(world, approval, key=LinkKey(hashlib.sha256(b"other").digest()))["approve"]
    stranger = links(world, approval, LinkReviewer(id="eve", groups=("sales",)))["approve"]
    requester = links(world, approval, LinkReviewer(id="BOT", groups=("ops",)))["approve"]
    for bad in (path[:-3], "/decide/" + path[9:].partition(".")[2], forged, stranger, requester):
        assert (await pressed(browser, bad)).status_code in {403, 404, 409}
    world.time.on(301)
    world.freshen()
    assert (await pressed(browser, path)).status_code == 403
    assert len(world.log) == 1


async def test_a_foreign_page_cannot_press_the_button(world: Any) -> None:
    """The form's origin is checked here too."""
    approval = world.asks()
    path = links(world, approval)["deny"]
    answer = await world.browser_of().post(path, {"shown": ""}, origin="https://evil.example")
    assert answer.status_code == 403
    assert len(world.log) == 1


async def test_a_local_login_link_is_no_decision_link(world: Any) -> None:
    """Each kind is good at its own address only."""
    path = links(world, world.asks())["deny"].replace("/decide/", "/local/")
    assert (await world.browser_of().get(path)).status_code == 403
