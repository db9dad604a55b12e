"""One shape of an approval for programs and people."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from tachograph.approvals.view import Stored, approval_view, grant_view, moment
from tachograph.schemas.approval import Decided, Need, Requested, Reviewer
from tachograph.schemas.approval_book import Approval, ApprovalBook
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

T0 = 1_790_000_000_000
DOCUMENT = Stored("d" * 64, {"unmapped": {"tacho": {"body": "[EMAIL:1]"}}})


def book(*groups: str) -> ApprovalBook:
    uid = uuid.UUID(int=7)
    made = ApprovalBook()
    asked: dict[str, Any] = dict.fromkeys(("approval", "exchange", "session", "record", "instance"), uid)
    asked |= dict.fromkeys(("request_digest", "scope_digest", "policy_digest"), "a" * 64)
    made.add(
        Requested(
            **asked,
            at=T0,
            connection="files",
            protocol=Protocol.HTTP,
            requester=Principal(id="bot", kind=PrincipalKind.API_KEY),
            needs=tuple(Need(group=group, reason=f"why {group}") for group in groups),
            wait_seconds=600,
        ),
        T0,
    )
    return made


def approved(made: ApprovalBook, **fields: Any) -> Approval:
    who = Reviewer(principal=Principal(id="ruth", kind=PrincipalKind.GATEWAY), groups=("ops",), via="local")
    values: dict[str, Any] = {"request_digest": "a" * 64, "shown": "b" * 64, "comment": "go on"} | fields
    event = Decided(
        approval=uuid.UUID(int=7), at=T0, decision=uuid.uuid4(), verdict="approve", reviewer=who, **values
    )
    made.add(event, T0 + 1000)
    return one(made)


def one(made: ApprovalBook) -> Approval:
    (found,) = made.approvals()
    return found


def test_what_waits_says_what_it_is_and_who_is_missing() -> None:
    """The masked document, its digest, what is lacking, and when it ends."""
    view = approval_view(one(book("ops", "dba")), now_ms=T0, document=DOCUMENT)
    assert (view["document"], view["shown"]) == (DOCUMENT.source, DOCUMENT.digest)
    assert (view["state"], view["expires"]) == ("pending", "2026-09-21T14:23:20Z")
    lacking = [(need["group"], need["reason"], need["missing"]) for need in view["needs"]]
    assert lacking == [("ops", "why ops", 1), ("dba", "why dba", 1)]
    assert orjson.loads(orjson.dumps(view)) == view


def test_what_is_not_masked_yet_cannot_be_shown() -> None:
    """There is nothing to approve on the strength of."""
    view = approval_view(one(book("ops")), now_ms=T0, document=None)
    assert (view["shown"], view["document"]) == (None, None)


def test_void_decisions_are_shown_as_void() -> None:
    """An auditor sees who tried, and why it did not count."""
    view = approval_view(approved(book("ops"), shown=None), now_ms=T0, document=None)
    (said,) = view["decisions"]
    assert (said["void"], said["reviewer"]["id"], said["via"]) == (
        "approved without the masked document",
        "ruth",
        "local",
    )


def test_a_grant_says_for_whom_and_until_when() -> None:
    """Half an hour from the decision, by the log's time."""
    (grant,) = [approved(made := book("ops"), grant_minutes=30).grant(T0 + 1000)]
    assert list(made.grants(T0 + 1000)) == [grant]
    assert grant is not None
    view = grant_view(grant)
    assert (view["requester"]["id"], view["until"]) == ("bot", "2026-09-21T14:43:21Z")


def test_times_are_in_utc_to_the_second() -> None:
    """RFC 3339."""
    assert moment(T0 + 999) == "2026-09-21T14:13:20Z"


def test_what_was_shown_stays_out_of_logs() -> None:
    """Its digest may be there."""
    assert "EMAIL" not in repr(DOCUMENT)
