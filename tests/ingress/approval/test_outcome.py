"""How an approval is told: to the agent in one sentence, to the record in full."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tachograph.ingress.approval.outcome import MAX_QUOTED, Outcome, approval_meta, refusal, summary
from tachograph.schemas.approval import Need, Requested
from tachograph.schemas.approval_book import Approval, ApprovalBook
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import ApprovalMeta

T0 = 1_790_000_000_000


@pytest.fixture
def said(play: Any) -> Any:
    """An approval with these decisions, a second apart."""

    def make(*words: tuple[Any, str, str]) -> Approval:
        book = ApprovalBook()
        uid = uuid.UUID(int=1)
        request = Requested(
            approval=uid,
            at=T0,
            exchange=uid,
            session=uid,
            record=uid,
            connection="files",
            protocol=Protocol.HTTP,
            requester=play.BOT,
            needs=(Need(group="ops", reviewers=2, policy="deletions"),),
            request_digest="a" * 64,
            scope_digest="a" * 64,
            policy_digest="a" * 64,
            wait_seconds=60,
            instance=uid,
        )
        book.add(request, T0)
        for index, (who, verdict, comment) in enumerate(words, start=1):
            at = T0 + 1000 * index
            found = book.find(uid)
            event = play.decided(found, who, verdict, comment=comment, at=at, grant_minutes=10)
            assert book.add(event, at) is None
        return book.find(uid)  # type: ignore[return-value]  # it was just added

    return make


def test_the_record_has_who_said_what_and_when(play: Any, said: Any) -> None:
    """Reviewer, issuer, the group that counted, comment, time by the log, what was shown."""
    approval = said((play.person("ruth", "ops", "staff"), "approve", "fine"), (play.OLAF, "approve", ""))
    meta = approval_meta(approval, "approved", waited_ms=2100, grant=approval.grant(T0 + 2000))
    assert ApprovalMeta.model_validate_json(meta.model_dump_json()) == meta
    assert (meta.outcome, meta.waited_ms, meta.asked) == ("approved", 2100, "2026-09-21T14:13:20.000000000Z")
    assert meta.granted_until == "2026-09-21T14:23:22.000000000Z"
    ruth = meta.decisions[0]
    assert (ruth.reviewer, ruth.issuer, ruth.groups) == ("ruth", "https://id.example", ("ops",))
    assert (ruth.comment, ruth.at, ruth.shown) == ("fine", "2026-09-21T14:13:21.000000000Z", "f" * 64)
    assert summary(approval, "approved") == "approved by ruth, olaf"


def test_a_denial_is_told_with_its_reason(play: Any, said: Any) -> None:
    """In one line, at a bounded length; who had approved before is not named as who denied."""
    approval = said((play.RUTH, "approve", "fine"), (play.OLAF, "deny", "not\non a\tFriday " + "x" * 999))
    text = refusal(approval, "denied")
    assert text.startswith('denied by olaf: "not on a Friday xxx')
    assert len(text) < MAX_QUOTED + 100
    assert "fine" not in text


@pytest.mark.parametrize(
    ("outcome", "begins"),
    [("expired", "nobody decided in time"), ("used", "the approval was used by another exchange")],
)
def test_who_to_ask_is_said(said: Any, outcome: Outcome, begins: str) -> None:
    """A refusal that is no denial names the groups whose members may decide, and the approval."""
    text = refusal(said(), outcome)
    assert text.startswith(begins)
    assert "`ops`" in text
    assert str(uuid.UUID(int=1)) in text
