"""A browser's cookies: which session it has, and which login is under way.

The names begin with `__Host-` where the console is reached by https, so no other site and no sub-domain can
plant one. `SameSite=Lax`: a link from a message opens the page, a form of another site has no session.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from tachograph.console.errors import Forbidden, NotProven
from tachograph.console.sessions import Session, Sessions, same

__all__ = ["LOGIN_SECONDS", "Browser", "local_path"]

LOGIN_SECONDS = 600
_ID = re.compile(r"[0-9a-f]{64}")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OURS = re.compile(rf"/(?:|history|grants|approvals/{_UUID})")


def local_path(told: str) -> str:
    """Where to go after a login: a page of ours, else the first one. Never another site."""
    return told if _OURS.fullmatch(told) else "/"


class Browser:
    """Reads and writes the cookies of one console."""

    def __init__(self, sessions: Sessions, *, secure: bool, session_seconds: int) -> None:
        self._sessions = sessions
        self._secure = secure
        self._session_seconds = session_seconds
        prefix = "__Host-" if secure else ""
        self.session_cookie = f"{prefix}tacho"
        self.login_cookie = f"{prefix}tacho-login"

    def session(self, request: Request) -> Session:
        """Who is logged in; raises `NotProven`."""
        found = self._sessions.find(_told(request, self.session_cookie))
        if found is None:
            raise NotProven("Nobody is logged in here.")
        return found

    def checked(self, request: Request, csrf: str) -> Session:
        """The same, for a form that carries this session's token; raises `Forbidden`."""
        found = self.session(request)
        if not same(csrf, found.csrf):
            raise Forbidden("This form belongs to another login. Open the page again and repeat it.")
        return found

    def log_in(self, request: Request, response: Response, session: str) -> None:
        """Give the browser its new session; one that it had before is over."""
        self._sessions.end(_told(request, self.session_cookie))
        self._set(response, self.session_cookie, session, self._session_seconds)
        self._clear(response, self.login_cookie)

    def log_out(self, request: Request, response: Response) -> None:
        self._sessions.end(_told(request, self.session_cookie))
        self._clear(response, self.session_cookie)

    def remember_login(self, response: Response, attempt: str) -> None:
        self._set(response, self.login_cookie, attempt, LOGIN_SECONDS)

    def login(self, request: Request) -> str:
        """The id of the login under way in this browser, empty where there is none."""
        return _told(request, self.login_cookie)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _clear(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")


def _told(request: Request, name: str) -> str:
    value = request.cookies.get(name, "")
    return value if _ID.fullmatch(value) else ""
