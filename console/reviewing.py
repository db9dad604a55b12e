"""What a person may do to an approval: say yes or no, or end a grant; and why it did not count.

Everything is checked twice: here, so that a person is told at once and clearly, and by the book as it folds
the log, which alone decides.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tachograph.approvals.view import Stored
from tachograph.console.desk import Desk
from tachograph.console.documents import Documents
from tachograph.console.errors import BadRequest, Conflict, NotThere
from tachograph.console.people import Person
from tachograph.schemas.approval import MAX_COMMENT, Decided, Revoked
from tachograph.schemas.approval_book import Approval, Counted, Grant, State, Void

__all__ = ["Reviewing", "Word"]

_GONE = "There is no such approval, or it is not for you to see."
_WORDS = {
    Void.REPEATED: "This decision was recorded before; it counts once.",
    Void.CLOCK: "This console's clock and Kafka's are too far apart: tell whoever runs them.",
    Void.DIGEST: "What you decided on is not what waits: look at it again.",
    Void.SELF: "You asked for this yourself, or it was asked in your name: somebody else must decide.",
    Void.PROXY: "Nobody decides without a name, or through another: log in as yourself.",
    Void.GROUP: "You are in none of the groups that are asked.",
    Void.TWICE: "You have decided before; another reviewer is needed.",
    Void.UNSEEN: "Nobody approves what was not shown.",
    Void.NO_GRANT: "There is no such grant any more.",
    Void.FULL: "Too many have decided on this.",
    Void.UNKNOWN: _GONE,
}


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says, and what they were shown when they said it."""

    verdict: Literal["approve", "deny"]
    request_digest: str
    shown: str | None
    comment: str = field(default="", repr=False)
    minutes: int = 0
    decision: uuid.UUID = field(default_factory=uuid.uuid4)
    """The same for the same click: it counts once, however often it is sent."""


class Reviewing:
    """The desk, as one person at a time may use it."""

    def __init__(self, desk: Desk, documents: Documents, *, auditors: tuple[str, ...] = ()) -> None:
        self.desk = desk
        self.documents = documents
        self._auditors = auditors

    # -- looking -----------------------------------------------------------------------------------

    def find(self, person: Person, approval: uuid.UUID) -> Approval:
        """The approval, if it is for these eyes; raises `NotThere`."""
        found = self.desk.book.find(approval)
        if found is None or not person.sees(found, self._auditors):
            raise NotThere(_GONE)
        return found

    def begins(self, person: Person, told: str) -> list[Approval]:
        """What these eyes may see whose id begins so."""
        start = told.lower()
        all_of_them = self.desk.book.approvals()
        return [each for each in all_of_them if str(each.id).startswith(start) and self._sees(person, each)]

    def pending(self, person: Person) -> list[Approval]:
        """What waits, the oldest first."""
        return [each for each in self.desk.book.pending(self.desk.now_ms) if self._sees(person, each)]

    def decided(self, person: Person, limit: int) -> list[Approval]:
        """What is over or under way, the newest first."""
        now = self.desk.now_ms
        found: list[Approval] = []
        for each in reversed(list(self.desk.book.approvals())):
            if len(found) == limit:
                break
            if each.state(now) is not State.PENDING and self._sees(person, each):
                found.append(each)
        return found

    def grants(self, person: Person) -> Iterator[tuple[Grant, Approval]]:
        """Grants in force, the oldest first."""
        for grant in self.desk.book.grants(self.desk.now_ms):
            found = self.desk.book.find(grant.approval)
            if found is not None and self._sees(person, found):
                yield grant, found

    def may_not(self, person: Person, approval: Approval) -> str:
        """Why this person has no buttons; empty where they may decide."""
        state = approval.state(self.desk.now_ms)
        if state is not State.PENDING:
            return over(approval, self.desk.now_ms)
        void = approval.reviewable_by(person.reviewer(approval))
        if void is None and any(
            each.decided.reviewer.principal == person.proof.principal for each in approval.decisions
        ):
            void = Void.TWICE
        return "" if void is None else _WORDS[void]

    async def document(self, approval: Approval) -> Stored | None:
        """The masked request document, None while it is not there."""
        return await self.documents.request(approval.requested.record, approval.opened_ms)

    # -- deciding ----------------------------------------------------------------------------------

    async def decide(self, person: Person, approval: uuid.UUID, word: Word) -> Approval:
        """Record a decision and return the approval as the log has it then; raises `Refusal` or `Away`."""
        found = self.find(person, approval)
        if self._said_before(found, person, word):
            return found
        await self._check(person, found, word)
        event = Decided(
            approval=found.id,
            at=self.desk.clock.wall_ms(),
            decision=word.decision,
            verdict=word.verdict,
            reviewer=person.reviewer(found),
            comment=word.comment,
            request_digest=word.request_digest,
            shown=word.shown if word.verdict == "approve" else None,
            grant_minutes=word.minutes if word.verdict == "approve" else 0,
        )
        void = await self.desk.append(event)
        found = self.desk.book.find(found.id) or found
        if void is None or (void is Void.REPEATED and self._said_before(found, person, word)):
            return found
        raise Conflict(over(found, self.desk.now_ms) if void is Void.OVER else _WORDS.get(void, str(void)))

    async def revoke(self, person: Person, approval: uuid.UUID, comment: str) -> Approval:
        """End a grant; raises `Refusal` or `Away`."""
        found = self.find(person, approval)
        event = Revoked(
            approval=found.id,
            at=self.desk.clock.wall_ms(),
            reviewer=person.reviewer(found),
            comment=checked_comment(comment),
        )
        if found.grant(self.desk.now_ms) is None:
            raise Conflict(_WORDS[Void.NO_GRANT])
        void = await self.desk.append(event)
        if void is not None:
            raise Conflict(_WORDS.get(void, str(void)))
        return self.desk.book.find(found.id) or found

    async def _check(self, person: Person, found: Approval, word: Word) -> None:
        checked_comment(word.comment)
        asked = found.requested
        if not 0 <= word.minutes <= asked.max_grant_minutes:
            raise BadRequest(f"A grant lasts at most {asked.max_grant_minutes} minutes.")
        if reason := self.may_not(person, found):
            raise Conflict(reason)
        if not hmac.compare_digest(word.request_digest.encode(), asked.request_digest.encode()):
            raise Conflict(_WORDS[Void.DIGEST])
        if word.verdict == "approve":
            document = await self.document(found)
            if document is None:
                raise Conflict("The masked request is not there yet: it can be denied, but not approved.")
            if word.shown is None or not hmac.compare_digest(word.shown.encode(), document.digest.encode()):
                raise Conflict("What you were shown is not what is stored now: look at it again.")

    def _said_before(self, found: Approval, person: Person, word: Word) -> bool:
        """Whether exactly this word of this person counts already: a second click on the same button."""
        return any(
            each.decided.decision == word.decision
            and each.decided.verdict == word.verdict
            and each.decided.reviewer.principal == person.proof.principal
            for each in found.decisions
        )

    def _sees(self, person: Person, approval: Approval) -> bool:
        return person.sees(approval, self._auditors)


def checked_comment(comment: str) -> str:
    """A comment that the log takes; raises `BadRequest`."""
    if len(comment) > MAX_COMMENT:
        raise BadRequest(f"A comment has at most {MAX_COMMENT} characters.")
    if any(not (char.isprintable() or char in "\n\t") for char in comment):
        raise BadRequest("A comment has printable characters only.")
    return comment


def over(approval: Approval, now_ms: int) -> str:
    """Why nothing can be decided any more: by whom, and how long ago."""
    state = approval.state(now_ms)
    if state is State.EXPIRED:
        return "Too late: the time for this decision is over, and the request was refused."
    last: Counted | None = next(reversed(approval.decisions), None)
    if last is None:
        return "This is over."
    who, ago = last.decided.reviewer.principal.id, max(0, now_ms - last.at_ms) // 1000
    verb = "denied" if last.decided.verdict == "deny" else "approved"
    return f"This is decided: {who} {verb} it {ago} seconds ago."
