"""What an agent, a reviewer or an issuer wrote is text on the page and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.console.templating import Templates
from tachograph.schemas.approval import Need
from tachograph.schemas.event import Principal, PrincipalKind

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}",
    "</textarea><svg onload=alert(1)>",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_field_becomes_markup(world: Any, attack: str) -> None:
    """Names, actors, groups, reasons, methods, targets, tools, arguments, headers, bodies, comments."""
    who = Principal(id=attack, kind=PrincipalKind.OIDC, issuer=attack, actors=(attack,))
    need = Need(group="ops", reason=attack, policy=attack)
    approval = world.asks(requester=who, needs=(need, Need(group=attack)))
    tacho = {
        "type": "request",
        "method": attack,
        "tool": attack,
        "rpc_method": attack,
        "arguments": {attack: attack},
        "body": attack,
        "withheld": attack,
        "truncated": [attack],
    }
    source = {
        "unmapped": {"tacho": tacho},
        "http_request": {
            "url": {"url_string": attack, "path": attack},
            "http_headers": [{"name": attack, "value": attack}],
        },
        "ai_model": {"name": attack},
        "message_context": {"prompt_text": attack},
    }
    world.store(approval.requested.record, source)
    world.searched = [source]
    ruth = world.browser_of(attack, "ops")
    pages = [await ruth.get(path) for path in ("/", f"/approvals/{approval.id}")]
    pages.append(await ruth.decide(approval, "deny", comment=attack))
    pages += [await ruth.get(path) for path in (f"/approvals/{approval.id}", "/history")]
    text = "".join(page.text for page in pages)
    assert "7 * 7" in text or "7 * 7" not in attack
    for tag in ("<script>", "<img", "<svg", "onerror=alert(1)>"):
        assert tag not in text
    assert "<script" not in text.replace('<script src="/static/live.js" defer>', "")


async def test_what_hides_or_turns_text_is_shown_by_its_number(world: Any) -> None:
    """A bidirectional override or a zero-width space cannot make one path look like another."""
    approval = world.asks()
    tacho = {"type": "request", "method": "GET", "tool": "rm\u202etxt.\u200bexe", "body": "a\x1b[2Jb\u2066"}
    world.store(approval.requested.record, {"unmapped": {"tacho": tacho}})
    page = (await world.browser_of("ruth", "ops").get(f"/approvals/{approval.id}")).text
    for hidden in "\u202e\u200b\u2066\x1b":
        assert hidden not in page
    assert "rm⟨U+202E⟩txt.⟨U+200B⟩exe" in page


@given(st.text())
def test_any_text_is_escaped(text: str) -> None:
    """Whatever comes, no angle bracket or quote of it reaches the page as such."""
    page = bytes(Templates().page("error", title=text, detail=text, status=400).body).decode()
    inside = page.partition("<h1>")[2].partition("</h1>")[0]
    assert not set(inside) & set("<>\"'")
