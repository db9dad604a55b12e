"""What the events of the approvals topic mean, read in the order of the log: the one judge of every approval.

Pure and the same in every reader: the ingress, which forwards only what it says, the console and the command
line. Time is the log's own (the broker stamps each event as it is appended), so no reader's clock decides.
A request goes on only when it is `APPROVED` and the first claim in the log is the asker's own.

    PENDING --enough approvals--> APPROVED --first claim--> CLAIMED
       |  \\--one denial--> DENIED     \\--nobody claims--> EXPIRED
       \\--time--> EXPIRED

Whatever breaks a rule changes nothing and is void; `Approval.voids` says so where it was a decision.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tachograph.schemas.approval import (
    MAX_GRANT_MINUTES,
    MAX_WAIT_SECONDS,
    ApprovalEvent,
    Claimed,
    Decided,
    Expired,
    Need,
    Requested,
    Reviewer,
    Revoked,
)
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = [
    "MAX_SKEW_MS",
    "MEMORY_MS",
    "Approval",
    "ApprovalBook",
    "Counted",
    "Grant",
    "State",
    "Void",
    "same_person",
]

MAX_SKEW_MS = 120_000
"""How far an event's own clock may be from the log's. It also ends every replay of an old event."""
USE_MS = 60_000
"""At least so long an approval may be claimed after its last decision, even one of the last moment."""
MEMORY_MS = (MAX_WAIT_SECONDS + MAX_GRANT_MINUTES * 60) * 1000 + USE_MS + 2 * MAX_SKEW_MS
"""Nothing older can still matter: so far back a reader begins, and so long a book remembers."""
MAX_VOIDS = 32
MAX_JOINED = 32
MAX_DECISIONS = 256
"""Distinct reviewers of one approval; more than all needs can ask for."""


class State(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CLAIMED = "claimed"


class Void(StrEnum):
    """Why an event changed nothing."""

    UNKNOWN = "no such approval"
    REPEATED = "seen before"
    CLOCK = "its clock is too far from the log's"
    OVER = "the approval has ended"
    DIGEST = "made for another request"
    SELF = "the reviewer is who asked"
    PROXY = "nobody reviews without a name, or through another"
    GROUP = "the reviewer is in none of the groups that are asked"
    TWICE = "the reviewer has decided before"
    UNSEEN = "approved without the masked document"
    EARLY = "not over yet"
    UNDECIDED = "claimed without a decision"
    CLAIMED = "claimed by another before"
    NO_GRANT = "no grant to revoke"
    FULL = "too many"


@dataclass(frozen=True, slots=True)
class Counted:
    """A decision with the log's time of it; `void` is None where it counts."""

    decided: Decided
    at_ms: int
    void: Void | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Every request of this scope by this principal may go until `until_ms`."""

    approval: uuid.UUID
    requester: Principal
    connection: str
    scope_digest: str
    needs: tuple[Need, ...]
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Approval:
    """One request that asked, and all that the log says of it. Times are the log's, Unix milliseconds."""

    requested: Requested
    opened_ms: int
    decisions: tuple[Counted, ...] = ()
    voids: tuple[Counted, ...] = ()
    joined: tuple[uuid.UUID, ...] = ()
    """Exchanges that asked for the same while it was open."""
    approved_ms: int | None = None
    denied_ms: int | None = None
    claim: Claimed | None = None
    claimed_ms: int | None = None
    revoked: Revoked | None = None
    revoked_ms: int | None = None

    @property
    def id(self) -> uuid.UUID:
        return self.requested.approval

    @property
    def expires_ms(self) -> int:
        """When waiting ends."""
        return self.opened_ms + self.requested.wait_seconds * 1000

    def state(self, now_ms: int) -> State:
        """Where it stands at a time of the log."""
        if self.denied_ms is not None:
            return State.DENIED
        if self.claim is not None:
            return State.CLAIMED
        if self.approved_ms is None:
            return State.PENDING if now_ms <= self.expires_ms else State.EXPIRED
        usable = max(self.expires_ms, self.approved_ms + USE_MS)
        return State.APPROVED if now_ms <= usable else State.EXPIRED

    def missing(self) -> tuple[tuple[Need, int], ...]:
        """What is still needed: each need with how many reviewers it lacks."""
        lacks = ((need, need.reviewers - self._approvers(need.group)) for need in self.requested.needs)
        return tuple((need, count) for need, count in lacks if count > 0)

    def may_claim(self, claim: uuid.UUID) -> bool:
        """Whether this claim is the one that may forward."""
        return self.claim is not None and self.claim.claim == claim

    @property
    def grant_minutes(self) -> int:
        """How long all who approved agreed to; 0 where one of them meant this one request."""
        agreed = [each.decided.grant_minutes for each in self.decisions if each.decided.verdict == "approve"]
        return min(*agreed, self.requested.max_grant_minutes) if agreed else 0

    def grant(self, now_ms: int) -> Grant | None:
        """What it allows beyond its own request, while that is in force."""
        if self.approved_ms is None or self.revoked is not None or not self.grant_minutes:
            return None
        until = self.approved_ms + self.grant_minutes * 60_000
        asked = self.requested
        if now_ms > until:
            return None
        return Grant(
            approval=self.id,
            requester=asked.requester,
            connection=asked.connection,
            scope_digest=asked.scope_digest,
            needs=asked.needs,
            since_ms=self.approved_ms,
            until_ms=until,
        )

    def reviewable_by(self, reviewer: Reviewer) -> Void | None:
        """None where this reviewer may decide, else why not; four eyes and groups, not the state."""
        asked = self.requested
        if reviewer.principal.kind is PrincipalKind.ANONYMOUS or reviewer.principal.actors:
            return Void.PROXY
        if same_person(reviewer.principal, asked.requester):
            return Void.SELF
        if any(_acts(reviewer.principal, actor) for actor in asked.requester.actors):
            return Void.SELF
        if not any(need.group in reviewer.groups for need in asked.needs):
            return Void.GROUP
        return None

    def _approvers(self, group: str) -> int:
        return sum(
            1
            for each in self.decisions
            if each.decided.verdict == "approve" and group in each.decided.reviewer.groups
        )


@dataclass(slots=True)
class ApprovalBook:
    """Feed it every event in the order of the log. Not for several threads."""

    now_ms: int = 0
    """The log's time as far as it was read; never goes back."""
    _approvals: dict[uuid.UUID, Approval] = field(default_factory=dict)
    _aliases: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    _waiting: dict[tuple[uuid.UUID, str], uuid.UUID] = field(default_factory=dict)
    _granted: set[uuid.UUID] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._approvals)

    # -- the fold ----------------------------------------------------------------------------------

    def add(self, event: ApprovalEvent, log_ms: int) -> Void | None:
        """Take the next event of the log, stamped by the broker; None if it counts, else why it is void."""
        self.now_ms = max(self.now_ms, log_ms)
        skewed = Void.CLOCK if abs(event.at - log_ms) > MAX_SKEW_MS else None
        if isinstance(event, Requested):
            return skewed or self._request(event)
        found = self.find(event.approval)
        if found is None:
            return Void.UNKNOWN
        if isinstance(event, Decided):
            return self._decide(found, event, void=skewed)
        return skewed or self._follow(found, event)

    def forget(self, before_ms: int) -> None:
        """Drop what was opened before then: `MEMORY_MS` ago or earlier, else a repeat might count again."""
        old = [uid for uid, each in self._approvals.items() if each.opened_ms < before_ms]
        for uid in old:
            asked = self._approvals.pop(uid).requested
            self._granted.discard(uid)
            if self._waiting.get((asked.session, asked.request_digest)) == uid:
                del self._waiting[asked.session, asked.request_digest]
        self._aliases = {alias: uid for alias, uid in self._aliases.items() if uid in self._approvals}

    # -- what readers ask --------------------------------------------------------------------------

    def find(self, approval: uuid.UUID) -> Approval | None:
        """The approval of this id, or the one that it joined."""
        return self._approvals.get(self._aliases.get(approval, approval))

    def open_for(self, session: uuid.UUID, request_digest: str, needs: Iterable[Need]) -> Approval | None:
        """What the same request of the same session waits for, or may use, if it answers these needs."""
        uid = self._waiting.get((session, request_digest))
        found = self._approvals.get(uid) if uid is not None else None
        if found is None or found.state(self.now_ms) not in {State.PENDING, State.APPROVED}:
            return None
        return found if _answers(found.requested.needs, needs) else None

    def grant_for(
        self,
        requester: Principal,
        *,
        connection: str,
        scope_digest: str,
        needs: Iterable[Need],
        now_ms: int,
    ) -> Grant | None:
        """A grant in force for just this principal and who acts for it, this scope and these needs.

        The needs of the same policies: what one holds for its amount, say, is not what another holds.
        """
        wanted = tuple(needs)
        policies = {need.policy for need in wanted}
        for grant in self.grants(now_ms):
            same = (grant.requester, grant.connection, grant.scope_digest)
            asked = policies <= {need.policy for need in grant.needs}
            if same == (requester, connection, scope_digest) and asked and _answers(grant.needs, wanted):
                return grant
        return None

    def grants(self, now_ms: int) -> Iterator[Grant]:
        """Every grant in force, oldest first."""
        known = (self._approvals[uid].grant(now_ms) for uid in sorted(self._granted, key=self._opened))
        return (grant for grant in known if grant is not None)

    def pending(self, now_ms: int) -> Iterator[Approval]:
        """Everything that waits for reviewers, oldest first."""
        return (each for each in self._approvals.values() if each.state(now_ms) is State.PENDING)

    def approvals(self) -> Iterator[Approval]:
        """Everything that is remembered, oldest first."""
        return iter(self._approvals.values())

    # -- one rule each -----------------------------------------------------------------------------

    def _request(self, event: Requested) -> Void | None:
        if event.approval in self._approvals or event.approval in self._aliases:
            return Void.REPEATED
        held = self.open_for(event.session, event.request_digest, event.needs)
        if held is not None:
            self._aliases[event.approval] = held.id
            self._put(replace(held, joined=(*held.joined, event.exchange)[-MAX_JOINED:]))
            return None
        self._waiting[event.session, event.request_digest] = event.approval
        self._put(Approval(event, self.now_ms))
        return None

    def _decide(self, found: Approval, event: Decided, *, void: Void | None) -> Void | None:
        if any(each.decided.decision == event.decision for each in (*found.decisions, *found.voids)):
            return Void.REPEATED
        void = void or self._refused(found, event)
        counted = Counted(event, self.now_ms, void)
        if void is not None:
            self._put(replace(found, voids=(*found.voids, counted)[-MAX_VOIDS:]))
            return void
        found = replace(found, decisions=(*found.decisions, counted))
        if event.verdict == "deny":
            found = replace(found, denied_ms=self.now_ms)
        elif not found.missing():
            found = replace(found, approved_ms=self.now_ms)
            self._granted.add(found.id)
        self._put(found)
        return None

    def _refused(self, found: Approval, event: Decided) -> Void | None:
        if found.state(self.now_ms) is not State.PENDING:
            return Void.OVER
        if event.request_digest != found.requested.request_digest:
            return Void.DIGEST
        if (void := found.reviewable_by(event.reviewer)) is not None:
            return void
        if event.verdict == "approve" and event.shown is None:
            return Void.UNSEEN
        if event.verdict == "approve" and _has_decided(found, event.reviewer):
            return Void.TWICE
        return Void.FULL if len(found.decisions) >= MAX_DECISIONS else None

    def _follow(self, found: Approval, event: Claimed | Expired | Revoked) -> Void | None:
        if isinstance(event, Claimed):
            return self._claim(found, event)
        if isinstance(event, Revoked):
            return self._revoke(found, event)
        return None if found.state(self.now_ms) is State.EXPIRED else Void.EARLY

    def _claim(self, found: Approval, event: Claimed) -> Void | None:
        if found.claim is not None:
            return Void.REPEATED if found.claim.claim == event.claim else Void.CLAIMED
        if found.approved_ms is None:
            return Void.UNDECIDED
        if found.state(self.now_ms) is not State.APPROVED:
            return Void.OVER
        self._put(replace(found, claim=event, claimed_ms=self.now_ms))
        return None

    def _revoke(self, found: Approval, event: Revoked) -> Void | None:
        if found.grant(self.now_ms) is None:
            return Void.NO_GRANT
        asker = same_person(event.reviewer.principal, found.requested.requester)
        if not asker and (void := found.reviewable_by(event.reviewer)) is not None:
            return void
        self._put(replace(found, revoked=event, revoked_ms=self.now_ms))
        self._granted.discard(found.id)
        return None

    def _put(self, approval: Approval) -> None:
        self._approvals[approval.id] = approval

    def _opened(self, uid: uuid.UUID) -> tuple[int, uuid.UUID]:
        return self._approvals[uid].opened_ms, uid


def same_person(one: Principal, other: Principal) -> bool:
    """Whether two principals may be one person: the same name, unless two issuers tell them apart.

    Errs towards the same: an operator at the command line has no issuer, names compare without case, and one
    directory speaks for the same people by OIDC, by SAML and in certificates, each time by another issuer.
    """
    apart = one.issuer is not None and other.issuer is not None and one.issuer != other.issuer
    return _same_name(one.id, other.id) and (one.kind is not other.kind or not apart)


def _acts(reviewer: Principal, actor: str) -> bool:
    """Whether an actor may be the reviewer; one of another issuer is written `issuer#name`."""
    return any(_same_name(reviewer.id, name) for name in (actor, actor.rpartition("#")[2]))


def _same_name(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _has_decided(found: Approval, reviewer: Reviewer) -> bool:
    return any(same_person(each.decided.reviewer.principal, reviewer.principal) for each in found.decisions)


def _answers(given: Iterable[Need], wanted: Iterable[Need]) -> bool:
    """Whether what reviewers were asked for is at least what is needed now."""
    most: dict[str, int] = {}
    for need in given:
        most[need.group] = max(most.get(need.group, 0), need.reviewers)
    return all(most.get(need.group, 0) >= need.reviewers for need in wanted)
