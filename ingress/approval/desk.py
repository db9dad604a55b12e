"""Where requests wait for people: asked, decided and claimed on the log, and only then forwarded.

Nothing is believed before it was read back from the topic, so a crash at any point leaves what the log says:
a request that nobody was asked about, one that waits, one that is decided and not used yet, or one that is
used up. A waiting request costs a future and its body; one timer looks after all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tachograph.approvals.tail import Entry
from tachograph.ingress.admission import Asked, Decision, OnRecord
from tachograph.ingress.approval.digests import Digests
from tachograph.ingress.approval.errors import ApprovalsAway, ApprovalsFull
from tachograph.ingress.approval.outcome import Outcome, approval_meta, refusal, summary
from tachograph.ingress.approval.waiter import Waiter
from tachograph.ingress.errors import ApprovalDenied, ApprovalTimeout, GatewayFault
from tachograph.ingress.faults import log_fault
from tachograph.schemas.approval import (
    MAX_REASON,
    MAX_WAIT_SECONDS,
    ApprovalEvent,
    Claimed,
    Expired,
    Need,
    Requested,
)
from tachograph.schemas.approval_book import MEMORY_MS, Approval, ApprovalBook, Grant, State, Void
from tachograph.schemas.approval_settings import Approval as ApprovalSettings

__all__ = ["POINTS", "Desk", "Sources"]

TICK_SECONDS = 0.5
"""How often those who wait are looked after: who left, whose time is up, who wants a sign of life."""
FRESH_SECONDS = 5.0
"""A view of the log that is older than this grants nothing; a revocation is in force everywhere after it."""
GRACE_SECONDS = 1.0
"""Between the end of a wait by our clock and giving up, for a decision that is on its way."""
FORGET_SECONDS = 600.0

POINTS = ("asking", "asked", "decided", "claimed", "recorded")
"""Where a crash could hurt: before and after reviewers are asked, then before the claim, with the claim but
before the session's record of it, and with both but before anything is forwarded."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Time and ids, as arguments; and `at`, which is told each of `POINTS` on a held request's way."""

    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    uuid: Callable[[], uuid.UUID] = uuid.uuid4
    at: Callable[[str], None] = lambda _: None


class Desk:
    """The `Holder` of one worker. All of it is for the event loop but `begun`, `read` and `fresh`."""

    def __init__(
        self,
        *,
        write: Callable[[ApprovalEvent], None],
        digests: Digests,
        settings: ApprovalSettings,
        instance: uuid.UUID,
        problem: Callable[[], str] = lambda: "",
        sources: Sources = Sources(),
    ) -> None:
        self.book = ApprovalBook()
        self._write = write
        self._digests = digests
        self._settings = settings
        self._instance = instance
        self._problem = problem
        self._sources = sources
        self._loop = asyncio.get_running_loop()
        self._waiters: set[Waiter] = set()
        self._of: dict[uuid.UUID, set[Waiter]] = {}
        self._landed: dict[uuid.UUID, Void | None] = {}
        self._expected: set[uuid.UUID] = set()
        self._fresh_at = -FRESH_SECONDS
        self._forget_at = 0.0
        self._closed = False
        self._ticker: asyncio.TimerHandle | None = None
        self._tick()

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._waiters)

    def gauges(self) -> dict[str, float]:
        """A value for every name in `APPROVAL_GAUGES`."""
        now = max(self._now_ms, self.book.now_ms)
        return {
            "tacho_ingress_approvals_waiting": self.waiting,
            "tacho_ingress_approvals_pending": sum(1 for _ in self.book.pending(now)),
            "tacho_ingress_approvals_log_age_seconds": self._sources.monotonic() - self._fresh_at,
        }

    def close(self) -> None:
        """Let nobody wait any longer: who waits is told to come again, and then joins what they asked for."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for waiter in self._waiters:
            waiter.wake()

    # -- the holder --------------------------------------------------------------------------------

    async def hold(
        self,
        asked: Asked,
        decision: Decision,
        record: OnRecord,
        *,
        alive: Callable[[], None],
        gone: Callable[[], bool],
    ) -> None:
        """Return when the request may be forwarded, once. See `Holder`."""
        began = self._sources.monotonic()
        with self._seat(alive, gone) as waiter:
            await self._view(waiter)
            ask = self._ask(asked, decision, record)
            del asked, decision  # a body may be long, and so may the wait
            grant = self._granted(ask)
            if grant is not None:
                await self._go_with(grant, record)
                return
            approval = await self._decided(ask, waiter)
            waited_ms = int((self._sources.monotonic() - began) * 1000)
            await self._use(approval, ask, record, waiter=waiter, waited_ms=waited_ms)

    async def _use(
        self, approval: Approval, ask: Requested, record: OnRecord, *, waiter: Waiter, waited_ms: int
    ) -> None:
        outcome: Outcome
        state = approval.state(max(self._now_ms, self.book.now_ms))
        if state is State.APPROVED:
            self._sources.at("decided")
            waiter.check()
            approval, mine = await self._claim(approval, ask, waiter)
            self._sources.at("claimed")
            outcome = "approved" if mine else "used"
        else:
            outcome = {State.DENIED: "denied", State.CLAIMED: "used"}.get(state, "expired")  # type: ignore[assignment]  # values of the Literal
        await self._record(approval, outcome, record, waited_ms=waited_ms)
        if outcome == "expired":
            raise ApprovalTimeout(refusal(approval, outcome))
        if outcome != "approved":
            raise ApprovalDenied(refusal(approval, outcome))
        self._sources.at("recorded")

    async def _go_with(self, grant: Grant, record: OnRecord) -> None:
        approval = self.book.find(grant.approval)
        if approval is None:
            raise GatewayFault("a grant without its approval")
        await record.decided(
            "allow",
            reason=summary(approval, "granted"),
            approval=approval_meta(approval, "granted", waited_ms=0, grant=grant),
        )

    async def _record(
        self, approval: Approval, outcome: Outcome, record: OnRecord, *, waited_ms: int
    ) -> None:
        grant = approval.grant(self.book.now_ms) if outcome == "approved" else None
        meta = approval_meta(approval, outcome, waited_ms=waited_ms, grant=grant)
        await record.decided(
            "allow" if outcome == "approved" else "deny", reason=summary(approval, outcome), approval=meta
        )

    # -- what stands on the log --------------------------------------------------------------------

    async def _decided(self, ask: Requested, waiter: Waiter) -> Approval:
        """Ask, unless the same is asked already; return once there is nothing to wait for any more."""
        approval = self._open(ask)
        if approval is None:
            self._check_each(ask)
            self._sources.at("asking")
            void = await self._append(ask, ask.approval, waiter)
            self._sources.at("asked")
            approval = self.book.find(ask.approval)
            if void is Void.CLOCK or approval is None:
                raise ApprovalsAway("this gateway's clock and Kafka's are too far apart")
        uid = approval.id
        self._of.setdefault(uid, set()).add(waiter)
        try:
            return await self._settled(uid, approval, waiter)
        finally:
            self._leave(uid, waiter)

    async def _settled(self, uid: uuid.UUID, approval: Approval, waiter: Waiter) -> Approval:
        left_ms = approval.expires_ms - self._now_ms
        until = self._sources.monotonic() + min(left_ms / 1000, MAX_WAIT_SECONDS) + GRACE_SECONDS
        while approval.state(self.book.now_ms) is State.PENDING:
            if self._sources.monotonic() >= until:
                with contextlib.suppress(ApprovalsAway):
                    self._write(Expired(approval=uid, at=self._now_ms))
                return approval
            await self._sleep(waiter, until)
            waiter.check()
            approval = self.book.find(uid) or approval
        return approval

    async def _claim(self, approval: Approval, ask: Requested, waiter: Waiter) -> tuple[Approval, bool]:
        """Claim it; True if ours is the first claim in the log, and only then may it be forwarded."""
        claim = self._sources.uuid()
        event = Claimed(
            approval=approval.id,
            at=self._now_ms,
            claim=claim,
            exchange=ask.exchange,
            instance=self._instance,
        )
        void = await self._append(event, claim, waiter)
        if void is Void.CLOCK:
            raise ApprovalsAway("this gateway's clock and Kafka's are too far apart")
        found = self.book.find(approval.id)
        if found is None:
            raise GatewayFault("a claim without its approval")
        return found, void is None and found.may_claim(claim)

    async def _append(self, event: ApprovalEvent, uid: uuid.UUID, waiter: Waiter) -> Void | None:
        """Write an event and return once it was read back: None if it counts, else why it is void."""
        until = self._sources.monotonic() + self._settings.log_timeout
        self._expected.add(uid)
        self._of.setdefault(uid, set()).add(waiter)
        try:
            self._write(event)
            while uid not in self._landed:
                if self._sources.monotonic() >= until:
                    raise ApprovalsAway(self._problem() or "the approvals topic did not answer in time")
                await self._sleep(waiter, until)
            return self._landed[uid]
        finally:
            self._expected.discard(uid)
            self._landed.pop(uid, None)
            self._leave(uid, waiter)

    async def _view(self, waiter: Waiter) -> None:
        """Return once our view of the log is fresh: what we do not know of might be a revocation."""
        until = self._sources.monotonic() + self._settings.log_timeout
        while self._sources.monotonic() - self._fresh_at > FRESH_SECONDS:
            if self._sources.monotonic() >= until:
                raise ApprovalsAway(self._problem() or "the approvals topic did not answer in time")
            await self._sleep(waiter, until)
            waiter.check()

    # -- who asks ----------------------------------------------------------------------------------

    def _ask(self, asked: Asked, decision: Decision, record: OnRecord) -> Requested:
        if record.request_uid is None or not decision.needs:
            raise GatewayFault("nothing waits that is not on record, or that nobody is asked for")
        minutes = min(need.minutes for need in decision.needs)
        who = asked.principal
        return Requested(
            approval=self._sources.uuid(),
            at=self._now_ms,
            exchange=asked.exchange,
            session=asked.session,
            record=record.request_uid,
            connection=asked.connection.name,
            protocol=asked.connection.protocol,
            requester=who if who.actors else who.model_copy(update={"actors": asked.actors}),
            needs=tuple(
                Need(
                    group=need.group,
                    reviewers=need.reviewers,
                    reason=_printable(need.reason)[:MAX_REASON],
                    policy=need.policy,
                )
                for need in decision.needs
            ),
            request_digest=self._digests.request(asked),
            scope_digest=self._digests.scope(asked),
            policy_digest=decision.digest,
            wait_seconds=min(minutes * 60, MAX_WAIT_SECONDS),
            max_grant_minutes=self._settings.max_grant_minutes,
            instance=self._instance,
        )

    def _granted(self, ask: Requested) -> Grant | None:
        return self.book.grant_for(
            ask.requester,
            connection=ask.connection,
            scope_digest=ask.scope_digest,
            needs=ask.needs,
            now_ms=max(self._now_ms, self.book.now_ms),
        )

    def _open(self, ask: Requested) -> Approval | None:
        """What the same request waits for already; the log's clock only moves when something is said."""
        found = self.book.open_for(ask.session, ask.request_digest, ask.needs)
        if found is None or found.state(self._now_ms) not in {State.PENDING, State.APPROVED}:
            return None
        return found

    def _check_each(self, ask: Requested) -> None:
        now = max(self._now_ms, self.book.now_ms)
        mine = sum(1 for each in self.book.pending(now) if each.requested.requester == ask.requester)
        if mine >= self._settings.max_waiting_each:
            raise ApprovalsFull(f"{mine} other requests of {ask.requester.id} wait for approvals")

    @property
    def _now_ms(self) -> int:
        return self._sources.wall_ms()

    # -- seats -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _seat(self, alive: Callable[[], None], gone: Callable[[], bool]) -> Iterator[Waiter]:
        if len(self._waiters) >= self._settings.max_waiting:
            raise ApprovalsFull(f"{len(self._waiters)} requests wait for approvals, which is all that may")
        waiter = Waiter(alive, gone, now=self._sources.monotonic())
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    async def _sleep(self, waiter: Waiter, until: float) -> None:
        """Until woken, at the latest at monotonic time `until` or a tick after it."""
        if self._closed:
            raise ApprovalsAway("this gateway is being restarted")
        waiter.until = until
        waiter.future = self._loop.create_future()
        try:
            await waiter.future
        finally:
            waiter.future = None

    def _leave(self, uid: uuid.UUID, waiter: Waiter) -> None:
        seats = self._of.get(uid)
        if seats is not None:
            seats.discard(waiter)
            if not seats:
                del self._of[uid]

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._sources.monotonic()
        for waiter in tuple(self._waiters):
            try:
                waiter.look(now)
            except Exception as error:  # noqa: BLE001  one client's connection must not end the others' time
                log_fault("approval_keepalive_failed", error)
        if now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            self.book.forget(self.book.now_ms - MEMORY_MS)

    # -- for the tail (`Reader`), from its thread --------------------------------------------------

    def begun(self) -> None:
        self._on_loop(self._begin)

    def read(self, entries: Sequence[Entry]) -> None:
        self._on_loop(self._fold, entries)

    def fresh(self, asked: float) -> None:
        self._on_loop(self._refresh, asked)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the tail
            self._loop.call_soon_threadsafe(call, *arguments)

    def _begin(self) -> None:
        self.book = ApprovalBook()
        self._fresh_at = -FRESH_SECONDS

    def _refresh(self, asked: float) -> None:
        stale = self._sources.monotonic() - self._fresh_at > FRESH_SECONDS
        self._fresh_at = asked
        if stale:
            for waiter in self._waiters:
                waiter.wake()

    def _fold(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            event = entry.event
            void = self.book.add(event, entry.log_ms)
            mine = event.claim if isinstance(event, Claimed) else event.approval
            if mine in self._expected and isinstance(event, Requested | Claimed):
                self._landed[mine] = void
            found = self.book.find(event.approval)
            for uid in {mine, event.approval, found.id if found else event.approval}:
                for waiter in self._of.get(uid, ()):
                    waiter.wake()


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
