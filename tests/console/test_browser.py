"""Cookies, tokens of forms, and where a login may lead."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.console.browser import local_path


@given(st.text())
def test_a_login_leads_to_a_page_of_ours_only(told: str) -> None:
    """Open redirect: whatever is asked for, what comes out is a path of ours without a query."""
    found = local_path(told)
    assert found == "/" or (found == told and found.split("/")[1] in {"history", "grants", "approvals"})


@pytest.mark.parametrize(
    "told",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/approvals/../../x",
     "/grants\r\nSet-Cookie: a=b", "/grants?x=1", "javascript:alert(1)", "/grants\n"],
)  # fmt: skip
async def test_tricks_lead_to_the_inbox(world: Any, told: str) -> None:
    """On the chooser, at the beginning and after the login; no header is split."""
    assert local_path(told) == "/"
    answer = await world.browser_of().get("/login", params={"next": told})
    assert "evil" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_form_needs_the_token_of_its_own_session(world: Any) -> None:
    """None, another session's, or an empty one: refused, nothing is written."""
    approval = world.asks()
    ruth, tom = world.browser_of("ruth", "ops"), world.browser_of("tom", "ops")
    good, foreign = await ruth.form(approval), await tom.form(approval)
    for csrf in (foreign["csrf"], "", "x"):
        form = good | {"verdict": "approve", "csrf": csrf}
        answer = await ruth.post(f"/approvals/{approval.id}/decision", form)
        assert answer.status_code == 403
    form = {name: value for name, value in good.items() if name != "csrf"} | {"verdict": "approve"}
    assert (await ruth.post(f"/approvals/{approval.id}/decision", form)).status_code == 403
    assert (await ruth.post("/logout", {"csrf": foreign["csrf"]})).status_code == 403
    assert len(world.log) == 1


async def test_without_a_session_nothing_is_shown_or_done(world: Any) -> None:
    """Every page leads to the login, every form is refused, the stream is closed."""
    approval = world.asks()
    nobody = world.browser_of()
    for path in ("/", "/history", "/grants", f"/approvals/{approval.id}", "/events"):
        answer = await nobody.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), path
        assert "bot" not in answer.text
    for path in (f"/approvals/{approval.id}/decision", f"/grants/{approval.id}/revoke", "/logout"):
        assert (await nobody.post(path, {"csrf": ""})).status_code in {401, 403}, path


async def test_a_session_ends_by_time_idleness_and_logout(world: Any) -> None:
    """After each of them the cookie is worth nothing."""
    ruth = world.browser_of("ruth", "ops")
    world.time.on(601)
    assert (await ruth.get("/")).status_code == 303
    tom = world.browser_of("tom", "ops")
    csrf = (await tom.form(world.asks()))["csrf"]
    kept = dict(tom.client.cookies)
    assert (await tom.post("/logout", {"csrf": csrf})).status_code == 303
    tom.plant("tacho", kept["tacho"])
    assert (await tom.get("/")).status_code == 303
