"""Coming and going: the chooser, each way of logging in, the one-time local link, and logging out."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tachograph.console.browser import Browser, local_path
from tachograph.console.errors import Away, Forbidden, NotThere
from tachograph.console.forms import read_form, read_posted
from tachograph.console.local_login import LocalLinks
from tachograph.console.login import Begun, Described, LoginMethod, Returned
from tachograph.console.metrics import Metrics
from tachograph.console.people import Person
from tachograph.console.sessions import OneTime, Sessions
from tachograph.console.templating import Templates
from tachograph.identity.errors import IssuerFailed, LoginRefused, Unproven

__all__ = ["Attempt", "Doors", "LoginPages"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login under way in one browser."""

    method: str
    kept: object = field(repr=False)
    after: str


@dataclass(frozen=True, slots=True)
class Doors:
    """What is behind the pages: who is logged in, who is about to be, and by which ways."""

    sessions: Sessions
    attempts: OneTime[Attempt]
    posted: OneTime[dict[str, str]]
    methods: Sequence[LoginMethod]
    local: LocalLinks


class LoginPages:
    """One handler each."""

    def __init__(self, doors: Doors, browser: Browser, templates: Templates, metrics: Metrics) -> None:
        self._doors = doors
        self._browser = browser
        self._templates = templates
        self._metrics = metrics

    async def choose(self, request: Request) -> Response:
        """Which way; nothing of it is secret, and nothing else is shown to anybody unknown."""
        after = local_path(request.query_params.get("next", "/"))
        return self._templates.page("login", methods=self._doors.methods, after=after)

    async def begin(self, request: Request) -> Response:
        method = self._method(request)
        begun: Begun = await self._asked(method, method.begin())
        after = local_path(request.query_params.get("next", "/"))
        response = RedirectResponse(begun.url, 303)
        attempt = self._doors.attempts.keep(Attempt(method.key, begun.kept, after))
        self._browser.remember_login(response, attempt)
        return response

    async def posted(self, request: Request) -> Response:
        """Another site's form: put aside, for only our own next step has this browser's cookie."""
        method = self._method(request)
        if not method.takes_forms:
            raise NotThere("Nothing is sent here.")
        ticket = self._doors.posted.keep(dict(await read_posted(request)))
        return RedirectResponse(f"/login/{method.key}/back?ticket={ticket}", 303)

    async def back(self, request: Request) -> Response:
        method = self._method(request)
        attempt = self._doors.attempts.take(self._browser.login(request))
        if attempt is None or attempt.method != method.key:
            raise Forbidden("No login is under way in this browser: begin again.")
        query = dict(request.query_params)
        form = self._doors.posted.take(query.pop("ticket", "")) if method.takes_forms else None
        proof = await self._asked(method, method.finish(attempt.kept, Returned(query, form or {})))
        return self._in(request, Person(proof, via="console"), method.key, attempt.after)

    async def metadata(self, request: Request) -> Response:
        """What this way's administrator at the other end is given about the console."""
        method = self._method(request)
        if not isinstance(method, Described):
            raise NotThere("This way to log in has no metadata.")
        return Response(method.metadata(), media_type="application/samlmetadata+xml")

    async def local(self, request: Request) -> Response:
        """What a one-time link would do; only the button does it."""
        link = self._doors.local.look(request.path_params["token"])
        return self._templates.page("local", link=link, token=request.path_params["token"])

    async def use_local(self, request: Request) -> Response:
        await read_form(request, ())
        return self._in(request, self._doors.local.use(request.path_params["token"]), "local", "/")

    async def out(self, request: Request) -> Response:
        form = await read_form(request, ("csrf",))
        self._browser.checked(request, form.get("csrf", ""))
        response = RedirectResponse("/login", 303)
        self._browser.log_out(request, response)
        return response

    def _in(self, request: Request, person: Person, method: str, after: str) -> Response:
        response = RedirectResponse(after, 303)
        self._browser.log_in(request, response, self._doors.sessions.begin(person, method=method))
        self._metrics.logins.labels(method, "ok").inc()
        return response

    def _method(self, request: Request) -> LoginMethod:
        key = request.path_params["method"]
        found = next((each for each in self._doors.methods if each.key == key), None)
        if found is None:
            raise NotThere("There is no such way to log in.")
        return found

    async def _asked(self, method: LoginMethod, work: Awaitable[T]) -> T:
        try:
            return await work
        except (LoginRefused, Unproven) as error:
            self._metrics.logins.labels(method.key, "refused").inc()
            raise Forbidden(f"You are not logged in: {error.detail}.") from None
        except IssuerFailed as error:
            self._metrics.logins.labels(method.key, "refused").inc()
            raise Away(f"Nobody can log in this way just now: {error.detail}.") from None
