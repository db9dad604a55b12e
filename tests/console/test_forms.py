"""Forms and bodies: bounded, strict."""

from __future__ import annotations

from typing import Any

import pytest

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:8090"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"csrf=" + b"x" * 70_000, 413),
        (b"csrf=a&csrf=b", 400),
        (b"&".join(b"a%d=1" % n for n in range(40)), 400),
        (b"csrf=%ff%fe", 400),
        (b"\xff", 400),
        (b"csrf", 400),
        (b"csrf=x&admin=1", 400),
    ],
)
async def test_what_no_page_of_ours_sends_is_refused(world: Any, data: bytes, status: int) -> None:
    """Too long, twice the same, too many, not UTF-8, unknown fields."""
    approval = world.asks()
    client = world.browser_of("ruth", "ops").client
    answer = await client.post(f"/approvals/{approval.id}/decision", content=data, headers=FORM)
    assert answer.status_code == status
    assert len(world.log) == 1


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json", ""])
async def test_another_media_type_is_refused(world: Any, kind: str) -> None:
    """A form is a form."""
    headers = FORM | {"content-type": kind}
    answer = await world.browser_of("ruth", "ops").client.post("/logout", content=b"csrf=x", headers=headers)
    assert answer.status_code == 400


async def test_a_comment_has_a_bound_and_no_control_characters(world: Any) -> None:
    """The page comes back and says so."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    for comment in ("x" * 2001, "a\x1b[2J", "a\u202eb"):
        answer = await ruth.decide(approval, "deny", comment=comment)
        assert answer.status_code == 400
        assert "comment" in answer.text.lower()
    assert len(world.log) == 1
