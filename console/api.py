"""The same for programs: `tacho approvals|approve|deny|grants`, and whatever else asks by HTTP with a token.

Nothing here looks at a cookie, so no page of another site can make a browser use it. Refusals are problem
documents (RFC 9457).
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tachograph.approvals.view import approval_view, grant_view
from tachograph.console.bearer import Bearer
from tachograph.console.errors import Away, BadRequest, ConsoleError, NotThere
from tachograph.console.forms import read_json
from tachograph.console.inbox import counted
from tachograph.console.metrics import Metrics
from tachograph.console.people import Person
from tachograph.console.reviewing import Reviewing, Word
from tachograph.schemas.approval_book import Approval, State

__all__ = ["Api", "problem"]

MAX_LISTED = 200
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "verdict": str,
    "comment": str,
    "grant_minutes": int,
    "request_digest": str,
    "shown": (str, type(None)),
}


class Api:
    """One handler each."""

    def __init__(self, reviewing: Reviewing, bearer: Bearer, metrics: Metrics) -> None:
        self._reviewing = reviewing
        self._bearer = bearer
        self._metrics = metrics

    async def approvals(self, request: Request) -> Response:
        person = await self._bearer.identify(request)
        self._check_fresh()
        state = request.query_params.get("state", "pending")
        if state not in ("pending", "all"):
            raise BadRequest("state: expected pending or all.")
        found = self._reviewing.pending(person)[:MAX_LISTED]
        if state == "all":
            found += self._reviewing.decided(person, MAX_LISTED)
        views = await asyncio.gather(*(self._view(each) for each in found))
        return _json({"approvals": views})

    async def approval(self, request: Request) -> Response:
        person = await self._bearer.identify(request)
        found = self._find(person, request.path_params["approval"])
        return _json(await self._view(found) | {"refused": self._reviewing.may_not(person, found) or None})

    async def decide(self, request: Request) -> Response:
        person = await self._bearer.identify(request)
        body = await read_json(request, _FIELDS)
        verdict = body.get("verdict")
        if verdict not in ("approve", "deny"):
            raise BadRequest("verdict: expected approve or deny.")
        found = self._find(person, request.path_params["approval"])
        word = Word(
            verdict=verdict,
            request_digest=body.get("request_digest", ""),
            shown=body.get("shown"),
            comment=body.get("comment", ""),
            minutes=body.get("grant_minutes", 0),
        )
        with counted(self._metrics, verdict):
            found = await self._reviewing.decide(person, found.id, word)
        return _json(await self._view(found))

    async def grants(self, request: Request) -> Response:
        person = await self._bearer.identify(request)
        self._check_fresh()
        return _json({"grants": [grant_view(grant) for grant, _ in self._reviewing.grants(person)]})

    async def revoke(self, request: Request) -> Response:
        person = await self._bearer.identify(request)
        body = await read_json(request, {"comment": str})
        found = self._find(person, request.path_params["approval"])
        await self._reviewing.revoke(person, found.id, body.get("comment", ""))
        return _json({"approval": str(found.id), "revoked": True})

    def _find(self, person: Person, told: str) -> Approval:
        """By its id or how that begins, among what is for these eyes."""
        self._check_fresh()
        try:
            return self._reviewing.find(person, uuid.UUID(told))
        except ValueError:
            found = self._reviewing.begins(person, told)
        if not found:
            raise NotThere("There is no such approval, or it is not for you to see.")
        if len(found) > 1:
            raise BadRequest(f"{len(found)} approvals begin so: say more of the id.")
        return found[0]

    def _check_fresh(self) -> None:
        if problem := self._reviewing.desk.problem:
            raise Away(problem)

    async def _view(self, approval: Approval) -> dict[str, Any]:
        now = self._reviewing.desk.now_ms
        document = None
        if approval.state(now) is State.PENDING:
            document = await self._reviewing.document(approval)
        return approval_view(approval, now_ms=now, document=document)


def problem(error: ConsoleError) -> Response:
    """RFC 9457."""
    body = {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.detail}
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return Response(orjson.dumps(body), error.status, headers, "application/problem+json")


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
