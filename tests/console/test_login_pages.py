"""Coming in by an issuer, by another site's form, by a local link; and how each is tied to one browser."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tachograph.console.local_login import local_link
from tachograph.identity.proof import Proof
from tachograph.schemas.event import Principal, PrincipalKind

RUTH = Proof(Principal(id="ruth", kind=PrincipalKind.OIDC, issuer="https://idp.example"), frozenset({"ops"}))


async def test_the_chooser_shows_the_ways_and_nothing_else(world: Any) -> None:
    """Each configured way has a button."""
    page = (await world.browser_of().get("/login")).text
    assert 'href="/login/sso?next=/"' in page
    assert "SAML" in page


async def test_a_login_makes_a_new_session_with_safe_cookies(secure_world: Any) -> None:
    """Off to the issuer, back with an answer, in at the page that was wanted; no script reads the cookies."""
    world = secure_world
    world.method.answer = RUTH
    browser = world.browser_of()
    off = await browser.get("/login/sso?next=/grants")
    assert (off.status_code, off.headers["location"]) == (303, "https://idp.example/authorize?x=1")
    back = await browser.get("/login/sso/back?code=c&state=s")
    assert (back.status_code, back.headers["location"]) == (303, "/grants")
    assert world.method.seen[0].query == {"code": "c", "state": "s"}
    for answer, name in ((off, "__Host-tacho-login"), (back, "__Host-tacho")):
        (cookie,) = [
            each
            for each in answer.headers.get_list("set-cookie")
            if each.startswith(f"{name}=") and '=""' not in each
        ]
        for flag in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert flag in cookie
        assert "Domain" not in cookie
    assert (await browser.get("/")).status_code == 200


async def test_a_planted_session_is_worth_nothing_after_a_login(world: Any) -> None:
    """Session fixation: the id from before is neither taken over nor left open."""
    world.method.answer = RUTH
    browser = world.browser_of("eve")
    planted = browser.client.cookies["tacho"]
    await browser.get("/login/sso")
    await browser.get("/login/sso/back")
    assert browser.client.cookies["tacho"] != planted
    other = world.browser_of()
    for told in (planted, "f" * 64, "../x", ""):
        other.plant("tacho", told)
        assert (await other.get("/")).status_code == 303


async def test_an_answer_is_good_once_in_the_browser_that_asked(world: Any) -> None:
    """Login CSRF: without this browser's attempt, for another way, a second time, or too late: refused."""
    world.method.answer = world.posting.answer = RUTH
    assert (await world.browser_of().get("/login/sso/back?code=c")).status_code == 403
    browser = world.browser_of()
    await browser.get("/login/saml")
    assert (await browser.get("/login/sso/back")).status_code == 403
    await browser.get("/login/sso")
    kept = browser.client.cookies["tacho-login"]
    assert (await browser.get("/login/sso/back")).status_code == 303
    browser.plant("tacho-login", kept)
    assert (await browser.get("/login/sso/back")).status_code == 403
    late = world.browser_of()
    await late.get("/login/sso")
    world.time.on(601)
    assert (await late.get("/login/sso/back")).status_code == 403


async def test_a_refused_login_says_why_and_lets_nobody_in(world: Any) -> None:
    """The issuer's no is a page, not a session."""
    browser = world.browser_of()
    await browser.get("/login/sso")
    answer = await browser.get("/login/sso/back")
    assert answer.status_code == 403
    assert "the person declined" in answer.text
    assert "tacho" not in browser.client.cookies


async def test_another_sites_form_is_taken_only_where_a_way_wants_it(world: Any) -> None:
    """SAML's POST comes without our cookie, so it is put aside and read by our own next step."""
    world.posting.answer = RUTH
    browser = world.browser_of()
    await browser.get("/login/saml?next=/history")
    sent = await browser.post("/login/saml/back", {"SAMLResponse": "x"}, origin="https://idp.example")
    assert sent.status_code == 303
    assert (await browser.get(sent.headers["location"])).headers["location"] == "/history"
    assert world.posting.seen[0].form == {"SAMLResponse": "x"}
    foreign = await browser.post("/login/sso/back", {"x": "y"}, origin="https://idp.example")
    assert foreign.status_code == 403


async def test_a_local_link_logs_in_once_and_only_by_its_button(world: Any) -> None:
    """Looking does nothing; the button lets in as `local`; used, old, forged and earlier links do not."""
    path = local_link(world.link_key, "ruth", ("ops",), now_ms=world.time.wall, uid=uuid.uuid4())
    browser = world.browser_of()
    for _ in range(2):
        assert "Log in as ruth" in (await browser.get(path)).text
    assert len(world.sessions) == 0
    assert (await browser.post(path, {})).status_code == 303
    approval = world.asks()
    await browser.decide(approval, "deny")
    assert world.log[-1].reviewer.via == "local"
    assert world.log[-1].reviewer.principal.kind is PrincipalKind.GATEWAY
    assert (await world.browser_of().post(path, {})).status_code == 403
    for told in (path[:-2], "/local/a.b", "/local/%2e%2e"):
        assert (await browser.get(told)).status_code in {403, 404}
    before = local_link(world.link_key, "ruth", (), now_ms=world.time.wall - 1, uid=uuid.uuid4())
    assert (await browser.get(before)).status_code == 403


@pytest.mark.parametrize("path", ["/login/none", "/login/none/back", "/login/%2e%2e/back"])
async def test_an_unknown_way_leads_nowhere(world: Any, path: str) -> None:
    """404."""
    assert (await world.browser_of().get(path)).status_code == 404
