"""Deciding by a signed link from a message: looking at it shows what it would do, only its button does it.

A program that follows every link in a message therefore decides nothing. The link is one person's word on one
request, and its decision has an id that follows from the link: the log counts it once.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tachograph.console.desk import Clock
from tachograph.console.errors import Forbidden
from tachograph.console.forms import read_form
from tachograph.console.inbox import counted, exhibit
from tachograph.console.links import DecisionLink, LinkKey
from tachograph.console.metrics import Metrics
from tachograph.console.people import Person
from tachograph.console.reviewing import Reviewing, Word
from tachograph.console.templating import Templates
from tachograph.identity.proof import Proof
from tachograph.schemas.approval_book import Approval
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["LinkPages", "reviewer_of"]


class LinkPages:
    """One handler each."""

    def __init__(
        self, reviewing: Reviewing, key: LinkKey, templates: Templates, metrics: Metrics, clock: Clock
    ) -> None:
        self._reviewing = reviewing
        self._key = key
        self._templates = templates
        self._metrics = metrics
        self._clock = clock

    async def look(self, request: Request) -> Response:
        link, person, approval = self._read(request)
        shown = await exhibit(self._reviewing, approval)
        return self._page(
            link, approval, may_not=self._reviewing.may_not(person, approval), done=False, **shown
        )

    async def decide(self, request: Request) -> Response:
        form = await read_form(request, ("shown", "comment"))
        link, person, approval = self._read(request)
        if any(each.decided.decision == link.id for each in (*approval.decisions, *approval.voids)):
            raise Forbidden("This link was used before: it counts once.")
        word = Word(
            verdict=link.verdict,
            request_digest=link.request_digest,
            shown=form.get("shown") or None,
            comment=form.get("comment", "").replace("\r\n", "\n").strip(),
            decision=link.id,
        )
        with counted(self._metrics, word.verdict):
            approval = await self._reviewing.decide(person, approval.id, word)
        return self._page(
            link, approval, may_not="", done=True, document=None, view=None, earlier=[], trouble=""
        )

    def _read(self, request: Request) -> tuple[DecisionLink, Person, Approval]:
        link = self._key.read(request.path_params["token"], DecisionLink, now_ms=self._clock.wall_ms())
        person = reviewer_of(link)
        return link, person, self._reviewing.find(person, link.approval)

    def _page(self, link: DecisionLink, approval: Approval, **values: Any) -> Response:
        return self._templates.page(
            "decide",
            link=link,
            approval=approval,
            now=self._reviewing.desk.now_ms,
            stale=self._reviewing.desk.problem,
            **values,
        )


def reviewer_of(link: DecisionLink) -> Person:
    """Whose word the link is; its groups are those that the operator gave the address it was sent to."""
    kind = PrincipalKind.OIDC if link.issuer else PrincipalKind.GATEWAY
    principal = Principal(id=link.reviewer, kind=kind, issuer=link.issuer)
    return Person(Proof(principal, groups=frozenset(link.groups)), via="webhook")
