"""The pages of a reviewer: what waits, one request with its buttons, what was decided, grants in force."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tachograph.approvals.view import Stored
from tachograph.console.browser import Browser
from tachograph.console.errors import Away, BadRequest, Conflict, ConsoleError
from tachograph.console.forms import read_form
from tachograph.console.metrics import Metrics
from tachograph.console.reviewing import Reviewing, Word
from tachograph.console.sessions import Session
from tachograph.console.templating import Templates
from tachograph.console.views import event_view, request_view
from tachograph.schemas.approval_book import Approval

__all__ = ["Inbox", "counted", "decision_id", "exhibit"]

MAX_DECIDED = 100
MAX_TITLED = 50
"""Of so many in the inbox the action is looked up; the others say it on their own page."""
_FIELDS = ("csrf", "verdict", "comment", "minutes", "request_digest", "shown", "once")
_VERDICTS: Mapping[str, str] = {"approve": "approve", "grant": "approve", "deny": "deny"}


class Inbox:
    """One handler each."""

    def __init__(
        self, reviewing: Reviewing, browser: Browser, templates: Templates, metrics: Metrics, *, minutes: int
    ) -> None:
        self._reviewing = reviewing
        self._browser = browser
        self._templates = templates
        self._metrics = metrics
        self._minutes = minutes

    # -- looking -----------------------------------------------------------------------------------

    async def inbox(self, request: Request) -> Response:
        session = self._browser.session(request)
        waiting = self._reviewing.pending(session.person)
        whats = await asyncio.gather(*(self._what(each) for each in waiting[:MAX_TITLED]))
        whats += [""] * (len(waiting) - len(whats))
        titled = zip(waiting, whats, strict=True)
        rows = [(each, self._reviewing.may_not(session.person, each), what) for each, what in titled]
        return self._page("inbox", session, rows=rows)

    async def _what(self, approval: Approval) -> str:
        """The action in a line, empty while its document is not there."""
        try:
            document = await self._reviewing.document(approval)
        except Away:
            return ""
        return event_view(document.source).what if document else ""

    async def history(self, request: Request) -> Response:
        session = self._browser.session(request)
        return self._page("history", session, rows=self._reviewing.decided(session.person, MAX_DECIDED))

    async def grants(self, request: Request) -> Response:
        session = self._browser.session(request)
        return self._page("grants", session, rows=list(self._reviewing.grants(session.person)))

    async def detail(self, request: Request) -> Response:
        session = self._browser.session(request)
        return await self._detail(session, request.path_params["approval"])

    async def _detail(
        self, session: Session, uid: uuid.UUID, problem: ConsoleError | None = None
    ) -> Response:
        approval = self._reviewing.find(session.person, uid)
        shown = await exhibit(self._reviewing, approval)
        return self._page(
            "approval",
            session,
            status=problem.status if problem else 200,
            problem=problem.detail if problem else "",
            approval=approval,
            may_not=self._reviewing.may_not(session.person, approval),
            once=secrets.token_hex(16),
            minutes=min(self._minutes, approval.requested.max_grant_minutes),
            **shown,
        )

    # -- deciding ----------------------------------------------------------------------------------

    async def decide(self, request: Request) -> Response:
        form = await read_form(request, _FIELDS)
        session = self._browser.checked(request, form.get("csrf", ""))
        uid = request.path_params["approval"]
        try:
            word = _word(form, session, uid)
            with counted(self._metrics, word.verdict):
                found = await self._reviewing.decide(session.person, uid, word)
        except (Conflict, BadRequest, Away) as problem:
            return await self._detail(session, uid, problem)
        return RedirectResponse(f"/approvals/{found.id}", 303)

    async def revoke(self, request: Request) -> Response:
        form = await read_form(request, ("csrf", "comment"))
        session = self._browser.checked(request, form.get("csrf", ""))
        uid = request.path_params["approval"]
        await self._reviewing.revoke(session.person, uid, form.get("comment", ""))
        return RedirectResponse("/grants", 303)

    def _page(self, name: str, session: Session, *, status: int = 200, **values: Any) -> Response:
        desk = self._reviewing.desk
        return self._templates.page(
            name,
            status=status,
            person=session.person,
            csrf=session.csrf,
            now=desk.now_ms,
            stale=desk.problem,
            here=name,
            **values,
        )


class counted:  # noqa: N801  reads as the statement that it is
    """Counts how a decision came out."""

    def __init__(self, metrics: Metrics, verdict: str) -> None:
        self._metrics, self._verdict = metrics, verdict

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = "unknown" if kind is not None and issubclass(kind, Away) else "void"
        self._metrics.decisions.labels(self._verdict, "counted" if kind is None else failed).inc()


async def exhibit(reviewing: Reviewing, approval: Approval) -> dict[str, Any]:
    """What a reviewer is shown of a request: its masked document, what follows it, the session so far."""
    document, earlier, trouble = None, [], ""
    try:
        document = await reviewing.document(approval)
        parts = await reviewing.documents.parts(approval.requested.record) if _has_parts(document) else []
        earlier = await reviewing.documents.earlier(approval.requested.session, approval.opened_ms)
    except Away as away:
        trouble = away.detail
        parts = []
    return {
        "document": document,
        "view": request_view(document.source, parts) if document else None,
        "earlier": [event_view(each) for each in earlier],
        "trouble": trouble,
    }


def decision_id(session: Session, approval: uuid.UUID, once: str, verdict: str) -> uuid.UUID:
    """One click, one decision, however often it is sent; nobody without the session can name it."""
    text = f"{approval}:{once}:{verdict}".encode()
    return uuid.UUID(bytes=hmac.digest(session.csrf.encode(), text, "sha256")[:16], version=4)


def _word(form: Mapping[str, str], session: Session, uid: uuid.UUID) -> Word:
    told = form.get("verdict", "")
    if told not in _VERDICTS:
        raise BadRequest("Approve or deny: the form says neither.")
    minutes = _minutes(form.get("minutes", "")) if told == "grant" else 0
    return Word(
        verdict="approve" if _VERDICTS[told] == "approve" else "deny",
        request_digest=form.get("request_digest", ""),
        shown=form.get("shown") or None,
        comment=form.get("comment", "").replace("\r\n", "\n").strip(),
        minutes=minutes,
        decision=decision_id(session, uid, form.get("once", ""), told),
    )


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0):
        raise BadRequest("For how many minutes: expected a number.")
    return int(text)


def _has_parts(document: Stored | None) -> bool:
    tacho = (document.source.get("unmapped") or {}).get("tacho") or {} if document else {}
    return bool(tacho.get("body_parts"))
