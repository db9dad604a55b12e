"""The pages of a reviewer, from the inbox to the word on the log."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tachograph.schemas.approval import Decided, Need, Revoked
from tachograph.schemas.approval_book import State


async def test_what_waits_is_in_the_inbox_of_those_who_are_asked(world: Any) -> None:
    """A member sees who, where, why and until when; anybody else an empty page."""
    world.asks("bot")
    page = (await world.browser_of("ruth", "ops").get("/")).text
    for said in ("bot on files", "DELETE", "1 more of 1 from ops", "deletes", "10 min"):
        assert said in page
    assert "bot on files" not in (await world.browser_of("eve", "sales").get("/")).text
    assert "bot on files" in (await world.browser_of("ada", "auditors").get("/")).text


async def test_an_approval_is_recorded_with_what_was_shown(world: Any) -> None:
    """Approve once: a signed word with the digests of the request and of the document, then its page."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops", "sales")
    answer = await ruth.decide(approval, "approve", comment="go\r\non")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{approval.id}")
    said = world.log[-1]
    assert isinstance(said, Decided)
    assert (said.verdict, said.grant_minutes, said.comment) == ("approve", 0, "go\non")
    assert (said.shown, said.request_digest) == (
        world.digest(approval),
        approval.requested.request_digest,
    )
    assert said.reviewer.groups == ("ops",), "only groups that are asked for"
    page = (await ruth.get(answer.headers["location"])).text
    assert "approved" in page
    assert '<form class="decide"' not in page


async def test_a_grant_lasts_as_long_as_was_said_and_can_be_revoked(world: Any) -> None:
    """Approve for 45 minutes; the grants page shows it; its button ends it."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    assert "whatever else it says" in (await ruth.get(f"/approvals/{approval.id}")).text
    await ruth.decide(approval, "grant", minutes="45")
    page = (await ruth.get("/grants")).text
    assert "45 min more" in page
    form = await ruth.form(approval)
    answer = await ruth.post(f"/grants/{approval.id}/revoke", {"csrf": form["csrf"]})
    assert answer.status_code == 303
    assert isinstance(world.log[-1], Revoked)
    assert "No grant is in force" in (await ruth.get("/grants")).text


async def test_a_grant_beyond_the_cap_is_refused(world: Any) -> None:
    """The policy's cap holds whatever a form says; the page comes back with the reason."""
    approval = world.asks(max_grant_minutes=60)
    ruth = world.browser_of("ruth", "ops")
    for minutes in ("61", "0", "-1", "x", "99999", "٣"):
        answer = await ruth.decide(approval, "grant", minutes=minutes)
        assert answer.status_code == 400, minutes
    assert not any(isinstance(each, Decided) for each in world.log)


async def test_one_denial_ends_it(world: Any) -> None:
    """Also without the document; the comment is kept."""
    approval = world.asks()
    world.stored.clear()
    ruth = world.browser_of("ruth", "ops")
    page = (await ruth.get(f"/approvals/{approval.id}")).text
    assert "not there yet" in page
    assert 'value="approve"' not in page
    answer = await ruth.decide(approval, "deny", comment="no")
    assert answer.status_code == 303
    assert world.desk.book.find(approval.id).state(world.time.wall) is State.DENIED


async def test_nobody_approves_what_is_not_there(world: Any) -> None:
    """A form that claims to have seen something is not believed."""
    approval = world.asks()
    world.stored.clear()
    answer = await world.browser_of("ruth", "ops").decide(approval, "approve", shown="a" * 64)
    assert answer.status_code == 409
    assert "not there yet" in answer.text
    assert len(world.log) == 1


async def test_a_stale_page_decides_nothing(world: Any) -> None:
    """Another request, or another document than was shown: told so, nothing is written."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    for stale in ({"request_digest": "0" * 64}, {"shown": "0" * 64}):
        answer = await ruth.decide(approval, "approve", **stale)
        assert answer.status_code == 409
        assert "look at it again" in answer.text
    assert len(world.log) == 1


async def test_the_requester_sees_it_and_has_no_buttons(world: Any) -> None:
    """Four eyes: neither the page nor a made-up form helps."""
    approval = world.asks("ruth")
    ruth = world.browser_of("ruth", "ops")
    page = (await ruth.get(f"/approvals/{approval.id}")).text
    assert "somebody else must decide" in page
    form = {"csrf": (await ruth.form(approval))["csrf"], "verdict": "approve", "once": "x"}
    form |= {"request_digest": approval.requested.request_digest, "shown": world.digest(approval)}
    answer = await ruth.post(f"/approvals/{approval.id}/decision", form)
    assert answer.status_code == 409
    assert len(world.log) == 1


async def test_a_double_click_counts_once_and_says_the_same_twice(world: Any) -> None:
    """One form sent twice, at once and after it: one decision on the log, all are told that it counts."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    form = await ruth.form(approval) | {"verdict": "approve", "comment": ""}
    path = f"/approvals/{approval.id}/decision"
    held: list[Any] = []
    world.write = held.append
    both = [asyncio.create_task(ruth.post(path, form)) for _ in range(2)]
    await world.until(lambda: len(held) == 2)
    for event in held:
        world.land(event)
    assert [(await each).status_code for each in both] == [303, 303]
    assert (await ruth.post(path, form)).status_code == 303
    found = world.desk.book.find(approval.id)
    assert (len(found.decisions), len(found.voids)) == (1, 0)


async def test_two_reviewers_at_once(world: Any) -> None:
    """The log's order decides: the second is told who was faster, and that theirs does not count."""
    approval = world.asks()
    ruth, tom = world.browser_of("ruth", "ops"), world.browser_of("tom", "ops")
    forms = [
        await each.form(approval) | {"verdict": verdict}
        for each, verdict in ((ruth, "approve"), (tom, "deny"))
    ]
    held: list[Any] = []
    world.write = held.append
    path = f"/approvals/{approval.id}/decision"
    both = [asyncio.create_task(each.post(path, form)) for each, form in zip((ruth, tom), forms, strict=True)]
    await world.until(lambda: len(held) == 2)
    for event in held:
        world.land(event)
    first, second = [await each for each in both]
    assert first.status_code == 303
    assert second.status_code == 409
    assert f"{held[0].reviewer.principal.id} " in second.text
    assert "does not count" in second.text


async def test_two_of_two_are_needed(world: Any) -> None:
    """After the first approval it still waits; the same person cannot be the second."""
    approval = world.asks(needs=(Need(group="ops", reviewers=2),))
    ruth, tom = world.browser_of("ruth", "ops"), world.browser_of("tom", "ops")
    assert (await ruth.decide(approval, "approve")).status_code == 303
    page = (await ruth.get(f"/approvals/{approval.id}")).text
    assert "You have decided before" in page
    assert "1 missing" in page
    assert (await tom.decide(approval, "approve")).status_code == 303
    assert world.desk.book.find(approval.id).state(world.time.wall) is State.APPROVED


async def test_too_late_is_said_so(world: Any) -> None:
    """A page that was open for too long: the decision is refused with the reason."""
    approval = world.asks(wait_seconds=60)
    ruth = world.browser_of("ruth", "ops")
    form = await ruth.form(approval) | {"verdict": "approve"}
    world.time.on(61)
    world.freshen()
    answer = await ruth.post(f"/approvals/{approval.id}/decision", form)
    assert answer.status_code == 409
    assert "Too late" in answer.text


async def test_what_kafka_has_not_confirmed_is_not_called_done(world: Any) -> None:
    """Written but not read back in time: 503 and what to do, never a yes."""
    approval = world.asks()
    world.write = lambda _: None
    world.desk._log_timeout = 0.05
    answer = await world.browser_of("ruth", "ops").decide(approval, "approve")
    assert answer.status_code == 503
    assert "has not confirmed" in answer.text


async def test_an_old_view_of_the_log_is_called_so(world: Any) -> None:
    """The tail has not heard from Kafka: a banner on every page, and nothing is decided."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    form = await ruth.form(approval) | {"verdict": "approve"}
    world.time.on(10)
    assert "may be old" in (await ruth.get("/")).text
    answer = await ruth.post(f"/approvals/{approval.id}/decision", form)
    assert answer.status_code == 503
    assert "Nothing was recorded" in answer.text
    assert len(world.log) == 1


async def test_the_request_is_shown_readable_with_the_session_so_far(world: Any) -> None:
    """Method, target, tool, arguments and body on lines of their own; what is missing is said."""
    approval = world.asks()
    tacho = {
        "type": "request",
        "method": "POST",
        "tool": "delete_file",
        "rpc_method": "tools/call",
        "arguments": {"path": "/etc"},
        "body": '{"a":{"b":1}}',
        "truncated": ["body"],
        "body_parts": 1,
    }
    world.store(approval.requested.record, {"unmapped": {"tacho": tacho}})
    world.searched = [{"unmapped": {"tacho": {"type": "response", "ts": "2026-01-01T10:11:12.0Z"}}}]
    page = (await world.browser_of("ruth", "ops").get(f"/approvals/{approval.id}")).text
    for said in (
        "delete_file",
        "tools/call",
        "&#34;path&#34;: &#34;/etc&#34;",
        "body is cut there",
        "10:11:12",
    ):
        assert said in page


async def test_decided_ones_are_listed_with_who(world: Any) -> None:
    """History, newest first."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    await ruth.decide(approval, "deny")
    page = (await ruth.get("/history")).text
    assert "denied" in page
    assert "ruth" in page
    assert str(uuid.uuid4()) not in page
