"""The console as one ASGI application: which address leads where, and how an error looks there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tachograph.console.api import Api, problem
from tachograph.console.browser import local_path
from tachograph.console.errors import BadRequest, ConsoleError, NotProven, NotThere
from tachograph.console.guard import Guard
from tachograph.console.inbox import Inbox
from tachograph.console.link_pages import LinkPages
from tachograph.console.live import Live
from tachograph.console.login import LoginMethod
from tachograph.console.login_pages import LoginPages
from tachograph.console.templating import Templates

__all__ = ["Rooms", "console_app"]

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that has addresses."""

    inbox: Inbox
    login: LoginPages
    links: LinkPages
    api: Api
    live: Live
    templates: Templates
    methods: Sequence[LoginMethod] = ()


def console_app(rooms: Rooms, *, origin: str) -> ASGIApp:
    """The application, reached by browsers under `origin` and no other name."""
    app = Starlette(
        routes=[*_pages(rooms), *_api(rooms.api), Mount("/static", StaticFiles(directory=STATIC))],
        exception_handlers={
            ConsoleError: _refused(rooms.templates),
            HTTPException: _refused(rooms.templates),
            Exception: _broken(rooms.templates),
        },
    )
    app.router.redirect_slashes = False
    posts = {f"/login/{each.key}/back" for each in rooms.methods if each.takes_forms}
    return Guard(app, origin=origin, open_posts=posts)


def _pages(rooms: Rooms) -> list[Route]:
    inbox, login, links = rooms.inbox, rooms.login, rooms.links
    return [
        Route("/", inbox.inbox, methods=["GET"]),
        Route("/history", inbox.history, methods=["GET"]),
        Route("/grants", inbox.grants, methods=["GET"]),
        Route("/grants/{approval:uuid}/revoke", inbox.revoke, methods=["POST"]),
        Route("/approvals/{approval:uuid}", inbox.detail, methods=["GET"]),
        Route("/approvals/{approval:uuid}/decision", inbox.decide, methods=["POST"]),
        Route("/events", rooms.live.events, methods=["GET"]),
        Route("/login", login.choose, methods=["GET"]),
        Route("/logout", login.out, methods=["POST"]),
        Route("/login/{method:str}", login.begin, methods=["GET"]),
        Route("/login/{method:str}/back", login.back, methods=["GET"]),
        Route("/login/{method:str}/back", login.posted, methods=["POST"]),
        Route("/login/{method:str}/metadata", login.metadata, methods=["GET"]),
        Route("/local/{token:str}", login.local, methods=["GET"]),
        Route("/local/{token:str}", login.use_local, methods=["POST"]),
        Route("/decide/{token:str}", links.look, methods=["GET"]),
        Route("/decide/{token:str}", links.decide, methods=["POST"]),
    ]


def _api(api: Api) -> list[Route]:
    return [
        Route("/api/approvals", api.approvals, methods=["GET"]),
        Route("/api/approvals/{approval:str}", api.approval, methods=["GET"]),
        Route("/api/approvals/{approval:str}/decisions", api.decide, methods=["POST"]),
        Route("/api/grants", api.grants, methods=["GET"]),
        Route("/api/grants/{approval:str}/revocation", api.revoke, methods=["POST"]),
    ]


def _refused(templates: Templates):  # type: ignore[no-untyped-def]  # starlette's own type for it is private
    def answer(request: Request, error: Exception) -> Response:
        known = error if isinstance(error, ConsoleError) else _mapped(error)
        if request.url.path.startswith("/api/"):
            return problem(known)
        if isinstance(known, NotProven) and request.method in {"GET", "HEAD"}:
            return RedirectResponse(f"/login?next={quote(local_path(request.url.path), safe='/')}", 303)
        return templates.page("error", status=known.status, title=known.title, detail=known.detail)

    return answer


def _broken(templates: Templates):  # type: ignore[no-untyped-def]  # starlette's own type for it is private
    def answer(_request: Request, _error: Exception) -> Response:
        words = "It is our fault; the console's log says where."
        return templates.page("error", status=500, title="That went wrong", detail=words)

    return answer


def _mapped(error: Exception) -> ConsoleError:
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotThere("There is no such page.")
    return BadRequest("This address does not take such a request.")
