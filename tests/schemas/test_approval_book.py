"""The fold: in whatever order events come, nothing goes ahead undecided, and nothing goes twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tachograph.schemas.approval import (
    MAX_GRANT_MINUTES,
    ApprovalEvent,
    Claimed,
    Decided,
    Expired,
    Need,
    Requested,
    Reviewer,
    Revoked,
)
from tachograph.schemas.approval_book import (
    MAX_SKEW_MS,
    MEMORY_MS,
    USE_MS,
    Approval,
    ApprovalBook,
    Grant,
    State,
    Void,
    same_person,
)
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

T0 = 1_790_000_000_000
WAIT = 600
MINUTE = 60_000
BOT = Principal(id="deploy-bot", kind=PrincipalKind.API_KEY)
ISSUER = "https://id.example"
DIGESTS = tuple(letter * 64 for letter in "abc")
OPS, DBA = Need(group="ops"), Need(group="dba")


def number(value: int) -> uuid.UUID:
    return uuid.UUID(int=value)


def person(name: str, *groups: str, issuer: str | None = ISSUER, **fields: Any) -> Reviewer:
    kind = fields.pop("kind", PrincipalKind.OIDC)
    return Reviewer(
        principal=Principal(id=name, kind=kind, issuer=issuer, **fields), groups=groups, via="console"
    )


RUTH, OLAF, DORA = person("ruth", "ops"), person("olaf", "ops"), person("dora", "dba")


class Log:
    """A log under the test's own clock: each event is appended `after` milliseconds after the one before."""

    def __init__(self) -> None:
        self.book = ApprovalBook()
        self.ms = T0
        self._next = 1000

    def asks(self, approval: int = 1, **fields: Any) -> Void | None:
        values: dict[str, Any] = {
            **{name: number(50) for name in ("session", "record", "instance")},
            "exchange": number(100 + approval),
            **dict.fromkeys(("request_digest", "scope_digest", "policy_digest"), DIGESTS[0]),
            "connection": "files",
            "protocol": Protocol.HTTP,
            "requester": BOT,
            "needs": (OPS,),
            "wait_seconds": WAIT,
        }
        return self.append(Requested(**self._common(approval, values | fields)))

    def decides(
        self, who: Reviewer, verdict: str = "approve", approval: int = 1, **fields: Any
    ) -> Void | None:
        values = {"verdict": verdict, "reviewer": who, "request_digest": DIGESTS[0], "shown": DIGESTS[2]}
        values["decision"] = self.fresh()
        return self.append(Decided(**self._common(approval, values | fields)))

    def claims(self, claim: int, approval: int = 1, **fields: Any) -> Void | None:
        values = {"claim": number(claim), "exchange": number(claim), "instance": number(50)}
        return self.append(Claimed(**self._common(approval, values | fields)))

    def revokes(self, who: Reviewer, approval: int = 1, **fields: Any) -> Void | None:
        return self.append(Revoked(**self._common(approval, {"reviewer": who} | fields)))

    def append(self, event: ApprovalEvent, *, after: int = 10) -> Void | None:
        self.ms += after
        return self.book.add(event, self.ms)

    def passes(self, milliseconds: int) -> None:
        self.ms += milliseconds

    def fresh(self) -> uuid.UUID:
        self._next += 1
        return number(self._next)

    def _common(self, approval: int, fields: dict[str, Any]) -> dict[str, Any]:
        return {"approval": number(approval), "at": self.ms} | fields

    def found(self, approval: int = 1) -> Approval:
        found = self.book.find(number(approval))
        assert found is not None
        return found

    @property
    def state(self) -> State:
        return self.found().state(self.ms)

    def granted(self, **fields: Any) -> Grant | None:
        asked: dict[str, Any] = {
            "requester": BOT,
            "connection": "files",
            "scope_digest": DIGESTS[0],
            "needs": (OPS,),
            "now_ms": self.ms,
        }
        return self.book.grant_for(**(asked | fields))


@pytest.fixture
def log() -> Log:
    return Log()


# -- the way that it is meant ---------------------------------------------------------------------------


def test_asked_approved_claimed(log: Log) -> None:
    """Pending, approved by one of the group, then used by the first that claims it."""
    assert log.asks() is None
    assert log.state is State.PENDING
    assert log.decides(RUTH) is None
    assert log.state is State.APPROVED
    assert log.claims(1) is None
    assert log.state is State.CLAIMED
    assert log.found().may_claim(number(1))


def test_only_the_first_claim_in_the_log_may_forward(log: Log) -> None:
    """Two workers claim at the same moment: the log's order decides, in every reader alike."""
    log.asks(), log.decides(RUTH)
    assert log.claims(1) is None
    assert log.claims(2) is Void.CLAIMED
    assert [log.found().may_claim(number(claim)) for claim in (1, 2)] == [True, False]


def test_one_denial_ends_it(log: Log) -> None:
    """After a denial no approval counts any more."""
    log.asks(needs=(Need(group="ops", reviewers=2),))
    assert log.decides(RUTH) is None
    assert log.decides(OLAF, "deny") is None
    assert log.state is State.DENIED
    assert log.decides(person("otto", "ops")) is Void.OVER
    assert log.claims(1) is Void.UNDECIDED


def test_who_approved_may_still_say_no(log: Log) -> None:
    """Until enough have approved, one of them can turn it down."""
    log.asks(needs=(Need(group="ops", reviewers=2),))
    log.decides(RUTH)
    assert log.decides(RUTH, "deny") is None
    assert log.state is State.DENIED


def test_n_of_m_and_several_needs(log: Log) -> None:
    """Every need wants its own number of distinct reviewers of its own group."""
    log.asks(needs=(Need(group="ops", reviewers=2), DBA))
    log.decides(RUTH)
    assert [(need.group, count) for need, count in log.found().missing()] == [("ops", 1), ("dba", 1)]
    assert log.decides(RUTH) is Void.TWICE
    assert log.decides(DORA) is None
    assert log.state is State.PENDING
    assert log.decides(OLAF) is None
    assert log.state is State.APPROVED


# -- who may not ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (person("alice", "ops"), Void.SELF),
        (person(" ALICE", "ops"), Void.SELF),
        (person("alice", "ops", issuer=None), Void.SELF),
        (person("agent-7", "ops"), Void.SELF),
        (person("Helper", "ops", issuer="https://other.example"), Void.SELF),
        (person("dora", "dba"), Void.GROUP),
        (person("nobody"), Void.GROUP),
        (person("anonymous", "ops", kind=PrincipalKind.ANONYMOUS), Void.PROXY),
        (person("ruth", "ops", actors=("agent-7",)), Void.PROXY),
        (person("alice", "ops", issuer="https://other.example"), None),
    ],
)
def test_four_eyes(log: Log, who: Reviewer, why: Void | None) -> None:
    """Neither who asked nor who acts for them may review, whatever their case or group; nor a stranger."""
    alice = Principal(
        id="alice", kind=PrincipalKind.OIDC, issuer=ISSUER, actors=("agent-7", "https://other.example#helper")
    )
    log.asks(requester=alice)
    assert log.found().reviewable_by(who) is why
    assert log.decides(who) is why
    assert log.state is (State.PENDING if why else State.APPROVED)
    assert [each.void for each in log.found().voids] == ([why] if why else [])


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_who_may_not_review_can_not_deny_either(log: Log, verdict: str) -> None:
    """A stranger cannot end what others wait for."""
    log.asks()
    assert log.decides(DORA, verdict) is Void.GROUP
    assert log.state is State.PENDING


def test_one_person_with_two_accounts_is_one_reviewer(log: Log) -> None:
    """The operator at the command line and the same name from the issuer do not make two."""
    log.asks(needs=(Need(group="ops", reviewers=2),))
    log.decides(RUTH)
    assert log.decides(person("Ruth", "ops", issuer=None)) is Void.TWICE
    assert not same_person(RUTH.principal, person("ruth", issuer="https://other.example").principal)


@pytest.mark.parametrize("kind", [PrincipalKind.SAML, PrincipalKind.MTLS, PrincipalKind.API_KEY])
def test_one_name_by_two_ways_is_one_person(kind: PrincipalKind) -> None:
    """One directory has an issuer for OIDC, an entity id for SAML and an authority for certificates."""
    asks = Principal(id="ruth", kind=kind, issuer=None if kind is PrincipalKind.API_KEY else "urn:acme:other")
    assert same_person(asks, RUTH.principal)
    assert not same_person(asks, OLAF.principal)


# -- what it is bound to -----------------------------------------------------------------------------------


def test_a_decision_is_for_the_digest_that_was_shown(log: Log) -> None:
    """A decision for another request, or without the masked document, is void."""
    log.asks()
    assert log.decides(RUTH, request_digest=DIGESTS[1]) is Void.DIGEST
    assert log.decides(RUTH, shown=None) is Void.UNSEEN
    assert log.decides(RUTH, "deny", shown=None) is None


def test_a_replayed_decision_changes_nothing(log: Log) -> None:
    """The same decision again is neither a second reviewer nor good after the end."""
    log.asks(needs=(Need(group="ops", reviewers=2),))
    again: dict[str, Any] = {"decision": number(7)}
    assert log.decides(RUTH, **again) is None
    assert log.decides(RUTH, **again) is Void.REPEATED
    assert log.decides(OLAF, **again) is Void.REPEATED
    assert log.state is State.PENDING


def test_an_old_event_is_void_when_it_comes_again(log: Log) -> None:
    """Whatever is copied from the log and appended later is refused by the log's own clock."""
    asked = log.ms
    log.asks()
    log.passes(MAX_SKEW_MS + 1000)
    assert log.decides(RUTH, at=asked) is Void.CLOCK
    assert log.asks(2, at=asked, session=number(51)) is Void.CLOCK
    assert log.claims(1, at=asked) is Void.CLOCK
    assert log.book.find(number(2)) is None


@pytest.mark.parametrize(("skew", "void"), [(MAX_SKEW_MS, None), (-MAX_SKEW_MS, None)])
def test_a_clock_may_be_off_by_a_named_bound(log: Log, skew: int, void: Void | None) -> None:
    """Up to the bound in either direction a decision counts; beyond it, it does not."""
    log.asks()
    assert log.decides(RUTH, at=log.ms + 10 + skew + (1 if skew > 0 else -1)) is Void.CLOCK
    assert log.decides(RUTH, at=log.ms + 10 + skew) is void


# -- time --------------------------------------------------------------------------------------------------


def test_time_is_a_no(log: Log) -> None:
    """After the wait no decision counts, and an early word of the end does not end it."""
    log.asks()
    assert log.append(Expired(approval=number(1), at=log.ms)) is Void.EARLY
    log.passes(WAIT * 1000)
    assert log.state is State.EXPIRED
    assert log.decides(RUTH) is Void.OVER
    assert log.append(Expired(approval=number(1), at=log.ms)) is None
    assert log.claims(1) is Void.UNDECIDED


def test_an_approval_that_nobody_uses_ends(log: Log) -> None:
    """It may be claimed until the wait is over, and at least a minute after the decision."""
    log.asks()
    log.passes(WAIT * 1000 - 100)
    assert log.decides(RUTH) is None
    log.passes(USE_MS - 20)
    assert log.state is State.APPROVED
    log.passes(100)
    assert log.state is State.EXPIRED
    assert log.claims(1) is Void.OVER


def test_the_logs_time_never_goes_back(log: Log) -> None:
    """A broker whose clock is set back does not bring an expired approval to life."""
    log.asks()
    log.passes(WAIT * 1000 + 1000)
    log.append(Expired(approval=number(1), at=log.ms))
    log.passes(-1000 - 60_000)
    assert log.decides(RUTH) is Void.OVER


# -- retries -----------------------------------------------------------------------------------------------


def test_a_retry_joins_what_waits(log: Log) -> None:
    """The same request of the same session is the same approval, under either id."""
    log.asks(1)
    assert log.asks(2) is None
    assert log.book.find(number(2)) == log.found(1)
    assert log.found(1).joined == (number(102),)
    assert log.decides(RUTH, approval=2) is None
    assert log.claims(1, approval=2) is None
    assert log.claims(2, approval=1) is Void.CLAIMED
    assert log.asks(1) is log.asks(2) is Void.REPEATED


@pytest.mark.parametrize(
    "other",
    [{"request_digest": DIGESTS[1]}, {"session": number(51)}, {"needs": (OPS, DBA)}],
    ids=["altered", "another session", "stricter needs"],
)
def test_another_request_needs_its_own_approval(log: Log, other: dict[str, Any]) -> None:
    """What differs in a byte, comes from elsewhere or needs more people does not join."""
    log.asks(1)
    log.decides(RUTH)
    log.asks(2, **other)
    assert log.found(2).state(log.ms) is State.PENDING


def test_a_used_approval_is_not_joined(log: Log) -> None:
    """After the claim the same request has to ask again."""
    log.asks(1), log.decides(RUTH), log.claims(1)
    log.asks(2)
    assert log.found(2).state(log.ms) is State.PENDING


# -- grants ------------------------------------------------------------------------------------------------


def test_a_grant_is_for_its_time_its_scope_and_its_asker(log: Log) -> None:
    """Only the same principal, actors, connection, scope and needs, and only until it ends."""
    log.asks(), log.decides(RUTH, grant_minutes=10)
    assert log.granted() is not None
    for other in (
        {"requester": BOT.model_copy(update={"id": "other-bot"})},
        {"requester": BOT.model_copy(update={"actors": ("agent-7",)})},
        {"connection": "db"},
        {"scope_digest": DIGESTS[1]},
        {"needs": (DBA,)},
        {"needs": (Need(group="ops", reviewers=2),)},
        {"needs": (Need(group="ops", policy="large-amounts"),)},
        {"now_ms": log.ms + 10 * MINUTE + 1},
    ):
        assert log.granted(**other) is None, other


def test_the_shortest_time_that_reviewers_agreed_to_counts(log: Log) -> None:
    """One reviewer who meant this one request makes it one request; the operator's cap bounds all."""
    log.asks(needs=(Need(group="ops", reviewers=2),), max_grant_minutes=20)
    log.decides(RUTH, grant_minutes=MAX_GRANT_MINUTES)
    assert log.found().grant(log.ms) is None
    log.decides(OLAF, grant_minutes=MAX_GRANT_MINUTES)
    assert log.found().grant_minutes == 20
    log.asks(2, request_digest=DIGESTS[1])
    log.decides(RUTH, approval=2, request_digest=DIGESTS[1])
    assert log.found(2).grant_minutes == 0
    assert [grant.approval for grant in log.book.grants(log.ms)] == [number(1)]


def test_a_grant_can_be_revoked(log: Log) -> None:
    """By a reviewer of the group or by who has it; by nobody else, and only while there is one."""
    log.asks()
    assert log.revokes(RUTH) is Void.NO_GRANT
    log.decides(RUTH, grant_minutes=10)
    assert log.revokes(DORA) is Void.GROUP
    assert log.granted() is not None
    assert log.revokes(OLAF) is None
    assert log.granted() is None
    assert log.revokes(OLAF) is Void.NO_GRANT


def test_who_has_a_grant_may_give_it_up(log: Log) -> None:
    """The requester can end what others gave."""
    log.asks(), log.decides(RUTH, grant_minutes=10)
    assert log.revokes(Reviewer(principal=BOT, via="console")) is None
    assert log.granted() is None


# -- memory ------------------------------------------------------------------------------------------------


def test_what_is_forgotten_stays_dead(log: Log) -> None:
    """After so long that nothing of it can matter, an approval is gone, and its events are void."""
    log.asks(1), log.asks(2), log.decides(RUTH, grant_minutes=10)
    log.book.forget(log.ms - MEMORY_MS)
    assert len(log.book) == 1
    log.passes(MEMORY_MS)
    log.book.forget(log.ms + 1 - MEMORY_MS + 100)
    assert len(log.book) == 0
    assert log.book.find(number(2)) is None
    assert log.decides(RUTH) is Void.UNKNOWN
    assert not list(log.book.grants(log.ms))
    assert not list(log.book.pending(log.ms))


# -- any order ---------------------------------------------------------------------------------------------

PEOPLE = (RUTH, OLAF, DORA, person("both", "ops", "dba"), person("deploy-bot", "ops", "dba", issuer=None))
PEOPLE += (person("agent-7", "ops"), person("nobody"))
IDS = st.integers(1, 3).map(number)
_AT = st.sampled_from([0, 0, 0, 0, 0, MAX_SKEW_MS + 1, -MAX_SKEW_MS - 1])
STEPS = st.sampled_from([0, 1, 1000, 30_000, 70_000])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.just(number(50)),
    "record": st.just(number(51)),
    "instance": st.just(number(52)),
    "exchange": st.integers(1, 4).map(number),
    "request_digest": st.sampled_from(DIGESTS[:2]),
}
NEEDS = st.sampled_from([(OPS,), (OPS, DBA), (Need(group="ops", reviewers=2),), (Need(group="dba"), OPS)])
ANY_EVENT: st.SearchStrategy[ApprovalEvent] = st.one_of(
    st.builds(
        Requested,
        approval=IDS,
        at=st.just(0),
        connection=st.just("files"),
        protocol=st.just(Protocol.HTTP),
        requester=st.sampled_from([BOT, BOT.model_copy(update={"actors": ("agent-7",)})]),
        needs=NEEDS,
        wait_seconds=st.sampled_from([60, 120]),
        scope_digest=st.just(DIGESTS[0]),
        policy_digest=st.just(DIGESTS[0]),
        **FIELDS,
    ),
    st.builds(
        Decided,
        approval=IDS,
        at=st.just(0),
        decision=st.integers(1, 6).map(number),
        verdict=st.sampled_from(["approve", "approve", "approve", "deny"]),
        reviewer=st.sampled_from(PEOPLE),
        request_digest=FIELDS["request_digest"],
        shown=st.sampled_from([DIGESTS[2], DIGESTS[2], None]),
        grant_minutes=st.sampled_from([0, 1]),
    ),
    st.builds(
        Claimed,
        approval=IDS,
        at=st.just(0),
        claim=st.integers(1, 4).map(number),
        exchange=FIELDS["exchange"],
        instance=FIELDS["instance"],
    ),
    st.builds(Expired, approval=IDS, at=st.just(0)),
    st.builds(Revoked, approval=IDS, at=st.just(0), reviewer=st.sampled_from(PEOPLE)),
)
LOGS = st.lists(st.tuples(ANY_EVENT, STEPS, _AT), max_size=24)
Written = list[tuple[ApprovalEvent, int]]


def written(events: Sequence[tuple[ApprovalEvent, int, int]]) -> Written:
    """The events with the log's times, and clocks of their own that are right or too far off."""
    found, ms = [], T0
    for event, step, skew in events:
        ms += step
        found.append((event.model_copy(update={"at": ms + skew}), ms))
    return found


def honest(log: Written) -> Written:
    return [(event, ms) for event, ms in log if abs(event.at - ms) <= MAX_SKEW_MS]


def decided_for(log: Written, asked: Requested, opened: int, ids: set[uuid.UUID], upto: int) -> bool:
    """An oracle of its own: whether the log before `upto` holds enough good decisions and no denial."""
    good: dict[str, set[str]] = {}
    for event, ms in log[:upto]:
        if not isinstance(event, Decided) or event.approval not in ids:
            continue
        who = event.reviewer.principal.id
        mine = who in {BOT.id, *asked.requester.actors} or event.request_digest != asked.request_digest
        late = ms > opened + asked.wait_seconds * 1000 or ms < opened
        if not mine and not late and event.verdict == "approve" and event.shown:
            for group in event.reviewer.groups:
                good.setdefault(group, set()).add(who)
    return all(len(good.get(need.group, ())) >= need.reviewers for need in asked.needs)


@settings(max_examples=400, deadline=None)
@given(LOGS)
@example([])
def test_no_order_of_events_lets_anything_through_undecided(
    events: list[tuple[ApprovalEvent, int, int]],
) -> None:
    """Whoever holds a claim has it behind enough good decisions of others, in time, for the same digest."""
    log = written(events)
    book = ApprovalBook()
    holders: dict[uuid.UUID, uuid.UUID] = {}
    for index, (event, ms) in enumerate(log):
        before = book.find(event.approval)
        void = book.add(event, ms)
        if not isinstance(event, Claimed) or void is not None:
            continue
        found = book.find(event.approval)
        assert found is not None
        assert before is not None
        assert before.claim is None, "claimed once"
        assert found.id not in holders
        holders[found.id] = event.claim
        assert found.denied_ms is None
        names = {found.id} | {e.approval for e, _ in log[:index] if book.find(e.approval) is found}
        assert decided_for(honest(log), found.requested, found.opened_ms, names, len(honest(log[:index])))
    for uid, claim in holders.items():
        final = book.find(uid)
        assert final is not None
        assert final.may_claim(claim), "a claim is never taken back"


@settings(max_examples=200, deadline=None)
@given(LOGS, st.data())
def test_every_reader_of_the_log_comes_to_the_same(
    events: list[tuple[ApprovalEvent, int, int]], data: st.DataObject
) -> None:
    """A reader that sees some events twice, as after a reconnect, holds the same book."""
    log = written(events)
    once, again = ApprovalBook(), ApprovalBook()
    for event, ms in log:
        once.add(event, ms)
    repeated = data.draw(st.lists(st.booleans(), min_size=len(log), max_size=len(log)))
    for (event, ms), twice in zip(log, repeated, strict=True):
        for _ in range(1 + twice):
            again.add(event, ms)
    end = log[-1][1] if log else T0

    def shape(book: ApprovalBook) -> list[tuple[Any, ...]]:
        return [(each.id, each.state(end), each.claim, each.decisions) for each in book.approvals()]

    assert shape(once) == shape(again)
    assert list(once.grants(end)) == list(again.grants(end))


@settings(max_examples=200, deadline=None)
@given(LOGS)
def test_what_is_void_changes_no_state(events: list[tuple[ApprovalEvent, int, int]]) -> None:
    """A void event leaves every approval where it was: nobody can end or further one by noise."""
    book = ApprovalBook()
    for event, ms in written(events):
        book.now_ms = max(book.now_ms, ms)
        states = {each.id: each.state(ms) for each in book.approvals()}
        if book.add(event, ms) is not None:
            assert {each.id: each.state(ms) for each in book.approvals()} == states
