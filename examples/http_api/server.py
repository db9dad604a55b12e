"""Tickets of a support desk over plain HTTP: JSON, cookies, a compressed answer, and a 404."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tachograph.examples.exchange_log import ExchangeLog

FIRST, LAST = 1, 999
"""Tickets that exist."""


def application(facts: Mapping[str, str], log: Path | None) -> ASGIApp:
    """`POST /login`, `GET /tickets/{id}`, `POST /tickets/{id}/notes`, `GET /export`."""

    async def login(request: Request) -> JSONResponse:
        form = parse_qs((await request.body()).decode())
        return JSONResponse({"user": form.get("user", [""])[0], "accepted": "password" in form})

    async def ticket(request: Request) -> JSONResponse:
        number = request.path_params["id"]
        if not FIRST <= number <= LAST:
            return JSONResponse({"error": f"no ticket {number}"}, status_code=404)
        answer = JSONResponse(_ticket(number, facts))
        answer.set_cookie("session", facts["set_cookie"], httponly=True)
        return answer

    async def note(request: Request) -> JSONResponse:
        text = (await request.json()).get("text", "")
        return JSONResponse({"id": request.path_params["id"], "length": len(text)}, status_code=201)

    async def export(_: Request) -> JSONResponse:
        # Long enough to be compressed on the way.
        return JSONResponse({"tickets": [_ticket(number, facts) for number in range(1, 30)]})

    routes = [
        Route("/login", login, methods=["POST"]),
        Route("/tickets/{id:int}", ticket),
        Route("/tickets/{id:int}/notes", note, methods=["POST"]),
        Route("/export", export),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=1000)])
    return ExchangeLog(app, server="http", file=log)


def _ticket(number: int, facts: Mapping[str, str]) -> dict[str, object]:
    return {
        "id": number,
        "subject": "Charged twice",
        "order": 1000 + number,
        "payment": {"card_number": facts["card"], "currency": "EUR"},
    }
