"""What holds for every answer, and which requests get no further."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers

from tachograph.console.guard import from_here

HERE = "https://console.example"
PATHS = (
    *("/", "/login", "/login/sso", "/login/none", "/events", "/approvals/x", "/api/approvals", "/nowhere"),
    *("/static/live.js", "/static/../app.py", "/local/x", "/decide/x.y", "/history", "/grants"),
)


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_keeps_to_itself(secure_world: Any, path: str) -> None:
    """CSP without inline script, no framing, no sniffing, no cache: pages, errors, redirects, files, JSON."""
    for visitor in (secure_world.browser_of(), secure_world.browser_of("ruth", "ops")):
        if path == "/events" and visitor.client.cookies:
            continue  # endless
        headers = (await visitor.get(path)).headers
        csp = headers["content-security-policy"]
        assert "default-src 'none'" in csp
        assert "frame-ancestors 'none'" in csp
        assert "unsafe" not in csp
        assert f"script-src {secure_world.origin}/static/live.js;" in csp
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" in headers


async def test_another_host_name_is_not_ours(world: Any) -> None:
    """DNS rebinding: a page of another site that leads to this machine is refused."""
    answer = await world.browser_of("ruth", "ops").get("/", headers={"host": "evil.example:8090"})
    assert answer.status_code == 403
    assert "ops" not in answer.text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:8090"]
)
async def test_a_form_of_another_site_changes_nothing(world: Any, origin: str) -> None:
    """Whatever it carries, even the right token."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    form = await ruth.form(approval) | {"verdict": "approve"}
    answer = await ruth.post(f"/approvals/{approval.id}/decision", form, origin=origin)
    assert answer.status_code == 403
    assert len(world.log) == 1


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"origin": HERE}, True),
        ({"origin": "https://console.example.evil"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site", "authorization": "Bearer x"}, False),
        ({"authorization": "Bearer x"}, True),
        ({"authorization": "Bearer x", "cookie": "tacho=1"}, False),
        ({"origin": "https://evil.example", "authorization": "Bearer x"}, False),
        ({}, False),
    ],
)
def test_where_it_came_from(headers: dict[str, str], ours: bool) -> None:
    """A page of ours, or a program with a credential of its own."""
    assert from_here(Headers(headers), HERE) is ours


async def test_a_defect_says_nothing_of_what_it_worked_on(
    world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 with a calm page, our headers on it; the log has the kind and the place."""

    def broken(_: object) -> None:
        raise ValueError("PLANTED")

    world.reviewing.pending = broken
    answer = await world.browser_of("ruth", "ops").get("/")
    assert answer.status_code == 500
    assert "frame-ancestors" in answer.headers["content-security-policy"]
    told = capsys.readouterr()
    assert "PLANTED" not in answer.text + told.out + told.err
    assert "console_failed" in told.out + told.err
