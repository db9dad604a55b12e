"""A held request goes on once, after its reviewers and its claim; in memory and on real Kafka alike."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tachograph.ingress.approval.desk import FRESH_SECONDS, POINTS, Sources
from tachograph.ingress.approval.errors import ApprovalsAway, ApprovalsFull
from tachograph.ingress.approval.waiter import MAX_SIGNS
from tachograph.ingress.errors import ApprovalDenied, ApprovalTimeout, ClientGone, GatewayFault, RecorderFull
from tachograph.schemas.approval import Claimed, Requested, Revoked
from tachograph.schemas.approval_book import MAX_SKEW_MS, State

SECONDS = 30.0


async def test_a_request_goes_on_once_it_is_approved_and_claimed(log: Any, play: Any) -> None:
    """It waits, is approved, claimed by its own exchange, and on record; then only `hold` returns."""
    async with log.open() as desk:
        held = play.hold(desk)
        (approval,) = await play.pending(desk)
        assert approval.requested.record == held.record.request_uid
        assert not held.task.done()
        log.append(play.decided(approval, play.RUTH, comment="go on"))
        await held.ends()
        found = desk.book.find(approval.id)
        assert found is not None
        assert found.state(play.now_ms()) is State.CLAIMED
        assert found.claim is not None
        assert found.claim.exchange == held.asked.exchange
    verdict, reason, meta = held.record.told[0]
    assert (verdict, reason, meta.outcome) == ("allow", "approved by ruth", "approved")
    assert [(each.reviewer, each.comment, each.via) for each in meta.decisions] == [
        ("ruth", "go on", "console")
    ]
    assert held.record.outcome == ("allow", "approved")


async def test_a_denial_ends_it_in_words_that_help(log: Any, play: Any) -> None:
    """The agent reads who said no and why; the record has it too."""
    async with log.open() as desk:
        held = play.hold(desk)
        (approval,) = await play.pending(desk)
        log.append(play.decided(approval, play.RUTH, "deny", comment="use the\nstaging bucket"))
        with pytest.raises(ApprovalDenied, match='denied by ruth: "use the staging bucket"'):
            await held.ends()
    assert held.record.outcome == ("deny", "denied")


async def test_two_workers_never_both_go_on(log: Any, play: Any) -> None:
    """The same request waits at two workers: one approval, one claim counts, the other is told so."""
    async with log.open() as one, log.open() as two:
        first, second = play.hold(one), play.hold(two)
        (approval,) = await play.pending(one)
        await play.pending(two)
        log.append(play.decided(approval, play.RUTH))
        results = await asyncio.wait_for(
            asyncio.gather(first.task, second.task, return_exceptions=True), SECONDS
        )
    assert sorted(type(result).__name__ for result in results) == ["ApprovalDenied", "NoneType"]
    assert {first.record.outcome, second.record.outcome} == {("allow", "approved"), ("deny", "used")}


async def test_two_reviewers_at_once_make_one_decision(log: Any, play: Any) -> None:
    """Approve and deny are sent at the same moment: the first in the log counts, the other is void."""
    async with log.open() as desk:
        held = play.hold(desk)
        (approval,) = await play.pending(desk)
        for event in (play.decided(approval, play.RUTH), play.decided(approval, play.OLAF, "deny")):
            log.append(event)
        await held.ends()
        found = await play.until(
            lambda: (a := desk.book.find(approval.id)) and a.voids and a, "the void denial"
        )
        assert [each.decided.reviewer.principal.id for each in found.voids] == ["olaf"]


async def test_a_retry_after_a_restart_joins_what_waits(log: Any, play: Any) -> None:
    """The worker goes, another reads the topic: the same request waits for the same approval and uses it."""
    async with log.open() as desk:
        lost = play.hold(desk)
        (approval,) = await play.pending(desk)
        lost.task.cancel()
    async with log.open() as desk:
        held = play.hold(desk)
        assert [each.id for each in await play.pending(desk)] == [approval.id]
        log.append(play.decided(approval, play.RUTH))
        await held.ends()
    assert held.record.told[0][2].id == str(approval.id)


async def test_an_approval_that_came_while_nobody_waited_serves_the_retry(log: Any, play: Any) -> None:
    """Decided while every worker was down: the retry goes on at once, and only once."""
    async with log.open() as desk:
        lost = play.hold(desk)
        (approval,) = await play.pending(desk)
        lost.task.cancel()
    log.append(play.decided(approval, play.RUTH))
    async with log.open() as desk:
        held = play.hold(desk)
        await held.ends()
        again = play.hold(desk)
        (next_one,) = await play.pending(desk)
        assert next_one.id != approval.id
        again.task.cancel()


async def test_an_altered_retry_needs_its_own_approval(log: Any, play: Any) -> None:
    """One byte more in the body, and the decision for the other does not serve it."""
    async with log.open() as desk:
        first = play.hold(desk)
        (approval,) = await play.pending(desk)
        other = play.hold(desk, play.asked(body=b'{"all": true} '))
        both = await play.pending(desk, 2)
        log.append(play.decided(approval, play.RUTH))
        await first.ends()
        (left,) = await play.pending(desk)
        assert {each.id for each in both} == {approval.id, left.id}
        assert not other.task.done()
        other.task.cancel()


async def test_who_asked_cannot_approve(log: Any, play: Any) -> None:
    """The requester's own decision is void, whoever signed it; the request goes on waiting."""
    async with log.open() as desk:
        held = play.hold(desk)
        (approval,) = await play.pending(desk)
        log.append(play.decided(approval, play.person("deploy-bot")))
        found = await play.until(
            lambda: (a := desk.book.find(approval.id)) and a.voids and a, "the void decision"
        )
        assert found.state(play.now_ms()) is State.PENDING
        assert not held.task.done()
        held.task.cancel()


async def test_a_grant_serves_the_same_kind_of_request_until_it_is_revoked(log: Any, play: Any) -> None:
    """Another body on the same path goes through at once; another path waits, and all after it is revoked."""
    async with log.open() as desk:
        first = play.hold(desk)
        (approval,) = await play.pending(desk)
        log.append(play.decided(approval, play.RUTH, grant_minutes=5))
        await first.ends()
        second = play.hold(desk, play.asked(body=b"{}"))
        await second.ends()
        other = play.hold(desk, play.asked(target="/files/8"))
        await play.pending(desk)
        other.task.cancel()
        log.append(Revoked(approval=approval.id, at=play.now_ms(), reviewer=play.OLAF))
        await play.until(lambda: not list(desk.book.grants(play.now_ms())), "the revocation")
        third = play.hold(desk, play.asked(body=b"{ }"))
        await play.pending(desk, 2)
        third.task.cancel()
    assert second.record.outcome == ("allow", "granted")
    assert second.record.told[0][2].granted_until is not None


async def test_nobody_in_time_is_a_no(log: Any, play: Any) -> None:
    """After the wait the request is refused, and the record says that nobody decided."""
    async with log.open() as desk:
        held = play.hold(desk, verdict=play.decision(minutes=1))
        await play.until(lambda: desk.waiting, "the request to wait")
        (approval,) = await play.pending(desk)
        desk._sources = replace(desk._sources, monotonic=lambda base=desk._sources.monotonic: base() + 62.0)
        with pytest.raises(ApprovalTimeout, match="nobody decided in time"):
            await held.ends()
        assert str(approval.id) in held.record.told[0][2].id
    assert held.record.outcome == ("deny", "expired")


# -- what the log can do to us ------------------------------------------------------------------------------


async def test_a_log_that_does_not_answer_lets_nothing_through(memory: Any, play: Any) -> None:
    """Kafka down before the request is asked for: 503 within the named bound, and nothing waits."""
    async with memory.open(log_timeout=0.3) as desk:
        await play.until(lambda: desk._fresh_at > 0, "a fresh view")
        memory.cut = True
        held = play.hold(desk)
        with pytest.raises(ApprovalsAway) as refused:
            await held.ends()
        assert refused.value.status == 503
        assert not held.record.told
        assert desk.waiting == 0


async def test_a_view_that_is_old_grants_nothing(memory: Any, play: Any) -> None:
    """With a grant in hand and the log out of reach, a revocation could be on it: the request is refused."""
    async with memory.open(log_timeout=0.3) as desk:
        first = play.hold(desk)
        (approval,) = await play.pending(desk)
        memory.append(play.decided(approval, play.RUTH, grant_minutes=5))
        await first.ends()
        memory.cut = True
        desk._fresh_at -= FRESH_SECONDS
        with pytest.raises(ApprovalsAway):
            await play.hold(desk, play.asked(body=b"{}")).ends()


async def test_an_approval_whose_claim_is_not_read_back_is_not_used(memory: Any, play: Any) -> None:
    """The log is cut between the decision and the claim: not forwarded; it may be used when it is back."""
    held_desk = memory.open(log_timeout=0.3, sources=Sources(at=lambda at: _cut(memory, at)))
    async with held_desk as desk:
        held = play.hold(desk)
        (approval,) = await play.pending(desk)
        memory.append(play.decided(approval, play.RUTH))
        with pytest.raises(ApprovalsAway):
            await held.ends()
        assert not held.record.told
        memory.cut = False
        desk._sources = Sources()
        again = play.hold(desk)
        await again.ends()


def _cut(memory: Any, at: str) -> None:
    memory.cut = memory.cut or at == "decided"


@pytest.mark.parametrize("skew", [MAX_SKEW_MS + 60_000, -MAX_SKEW_MS - 60_000])
async def test_a_gateway_whose_clock_is_wrong_asks_nobody(memory: Any, play: Any, skew: int) -> None:
    """Its own word is void on the log, so it refuses and says why."""
    memory.skew_ms = skew
    async with memory.open() as desk:
        with pytest.raises(ApprovalsAway, match="too far apart"):
            await play.hold(desk).ends()


async def test_a_record_that_cannot_be_written_stops_the_request(memory: Any, play: Any) -> None:
    """Approved and claimed, but the spool is full: nothing is forwarded, and the approval is used up."""
    async with memory.open() as desk:
        held = play.hold(desk)
        held.record.refuses = RecorderFull("full")
        (approval,) = await play.pending(desk)
        memory.append(play.decided(approval, play.RUTH))
        with pytest.raises(RecorderFull):
            await held.ends()
        assert desk.book.find(approval.id).state(play.now_ms()) is State.CLAIMED


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_point_lets_nothing_through_twice(memory: Any, play: Any, point: str) -> None:
    """The worker dies at a named point; its successor gets the retry: asked once, forwarded at most once."""
    forwarded = 0

    def crash(at: str) -> None:
        if at == point:
            raise Crash

    async with memory.open(sources=Sources(at=crash)) as desk:
        held = play.hold(desk)
        if point not in {"asking", "asked"}:
            (approval,) = await play.pending(desk)
            memory.append(play.decided(approval, play.RUTH))
        with pytest.raises(Crash):
            await held.ends()
    async with memory.open() as desk:
        retry = play.hold(desk)
        used_up = point in {"claimed", "recorded"}
        if used_up or point in {"asking", "asked"}:
            (approval,) = await play.pending(desk)
            memory.append(play.decided(approval, play.OLAF))
        await retry.ends()
        forwarded += 1
    requests = [entry for entry in memory.entries if isinstance(entry.event, Requested)]
    claims = [entry for entry in memory.entries if isinstance(entry.event, Claimed)]
    assert forwarded == 1
    assert len(requests) == (2 if used_up else 1), "asked again only where it was used up"
    assert len(claims) == (2 if used_up else 1)


class Crash(BaseException):
    """As good as a kill: nothing of the desk runs after it."""


# -- bounds ------------------------------------------------------------------------------------------------


async def test_so_many_may_wait_and_no_more(memory: Any, play: Any) -> None:
    """One more gets a 503; when one has gone there is room again."""
    async with memory.open(max_waiting=2) as desk:
        two = [play.hold(desk, play.asked(body=bytes([n]))) for n in range(2)]
        await play.pending(desk, 2)
        with pytest.raises(ApprovalsFull, match="2 requests wait"):
            await play.hold(desk, play.asked(body=b"3")).ends()
        two[0].client.left = True
        with pytest.raises(ClientGone):
            await two[0].ends()
        more = play.hold(desk, play.asked(body=b"3"))
        await play.pending(desk, 3)
        for held in (two[1], more):
            held.task.cancel()


async def test_one_principal_cannot_flood_the_reviewers(memory: Any, play: Any) -> None:
    """Requests whose client has left stay open for reviewers, and count."""
    async with memory.open(max_waiting_each=2) as desk:
        for number in range(2):
            held = play.hold(desk, play.asked(body=bytes([number])))
            await play.pending(desk, number + 1)
            held.client.left = True
            with pytest.raises(ClientGone):
                await held.ends()
        with pytest.raises(ApprovalsFull, match="deploy-bot"):
            await play.hold(desk, play.asked(body=b"3")).ends()
        joins = play.hold(desk, play.asked(body=bytes([1])))
        await play.until(lambda: desk.waiting == 1, "a retry to join")
        joins.task.cancel()


async def test_a_waiting_client_hears_from_us(memory: Any, play: Any) -> None:
    """Every `KEEPALIVE_SECONDS`, by one timer for all; a connection that fails at it harms nobody else."""
    clock = Clock()
    async with memory.open(sources=Sources(monotonic=clock)) as desk:
        memory.cut = True  # no further heartbeat with another clock
        held, broken = play.hold(desk), play.hold(desk, play.asked(body=b""))
        await play.until(lambda: desk.waiting == 2, "two to wait")
        for waiter in desk._waiters:
            if waiter.alive == broken.client.alive:
                waiter.alive = _fails
        clock.ahead = 1.0
        await asyncio.sleep(0)
        desk._ticker.cancel()
        for waiter in desk._waiters:
            waiter.until = clock() + 1000
        clock.ahead = 16.0
        desk._tick()
        assert held.client.signs == 1
        for _ in range(2 * MAX_SIGNS):
            clock.ahead += 16.0
            desk._ticker.cancel()
            desk._tick()
        assert held.client.signs == MAX_SIGNS, "no client that counts interim responses is driven away"
        for each in (held, broken):
            each.task.cancel()


def _fails() -> None:
    raise OSError


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0
        self._base: Callable[[], float] = asyncio.get_running_loop().time

    def __call__(self) -> float:
        return self._base() + self.ahead


async def test_a_desk_that_closes_sends_everybody_away(memory: Any, play: Any) -> None:
    """503 at once, so that a retry joins at another worker; the approval stays open."""
    async with memory.open() as desk:
        held = play.hold(desk)
        await play.pending(desk)
        desk.close()
        with pytest.raises(ApprovalsAway, match="restarted"):
            await held.ends()
        assert len(list(desk.book.pending(play.now_ms()))) == 1


async def test_nothing_waits_that_is_not_on_record(memory: Any, play: Any) -> None:
    """Without a request record, or without anybody to ask, holding is a defect and not a pass."""
    async with memory.open() as desk:
        for missing in ("record", "needs"):
            held = play.hold(desk, verdict=replace(play.decision(), needs=()) if missing == "needs" else None)
            held.record.request_uid = None if missing == "record" else uuid.uuid4()
            with pytest.raises(GatewayFault):
                await held.ends()


async def test_a_reviewer_of_every_group_is_needed(memory: Any, play: Any) -> None:
    """Two policies ask for two groups; the shorter wait counts."""
    needs: tuple[Any, ...] = (
        replace(play.decision().needs[0], group="ops", minutes=30),
        replace(play.decision().needs[0], group="dba", minutes=5),
    )
    async with memory.open() as desk:
        held = play.hold(desk, verdict=play.decision(*needs))
        (approval,) = await play.pending(desk)
        assert approval.requested.wait_seconds == 300
        memory.append(play.decided(approval, play.RUTH))
        await play.until(lambda: desk.book.find(approval.id).decisions, "the first decision")
        assert not held.task.done()
        memory.append(play.decided(approval, play.DORA))
        await held.ends()
    assert [each.reviewer for each in held.record.told[0][2].decisions] == ["ruth", "dora"]
