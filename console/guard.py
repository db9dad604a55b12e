"""What holds for every answer and every request: headers that keep a page to itself, and where it came from.

A request for another host is refused (DNS rebinding), and so is one that changes something and does not come
from a page of ours. The few paths that another site may post to are named by whoever builds this.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection
from pathlib import Path

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "from_here"]

SAFE = frozenset({"GET", "HEAD"})
HSTS = "max-age=31536000"
log = structlog.get_logger(__name__)


def policy(origin: str) -> str:
    """Content Security Policy (W3C CSP3): our one script, our one style sheet, and nothing else."""
    rules = (
        "default-src 'none'",
        f"script-src {origin}/static/live.js",
        f"style-src {origin}/static/console.css",
        f"img-src {origin}/static/mark.svg",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
    return "; ".join(rules)


class Guard:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, *, origin: str, open_posts: Collection[str] = ()) -> None:
        self._app = app
        self._origin = origin
        self._host = origin.partition("://")[2]
        self._open_posts = frozenset(open_posts)
        self._headers = {
            "content-security-policy": policy(origin),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            # Not `no-referrer`: a browser then says `Origin: null` on our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "cache-control": "no-store",
        }
        if origin.startswith("https:"):
            self._headers["strict-transport-security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        reason = self._refuse(scope)
        try:
            await (_answer(sending, reason) if reason else self._app(scope, receive, sending))
        except Exception as error:  # noqa: BLE001  the application has answered; its server would log a text
            # The kind and its place only: the text could quote what it worked on.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error(  # noqa: TRY400
                "console_failed", kind=type(error).__name__, file=Path(place.filename).name, line=place.lineno
            )

    def _refuse(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() != self._host:
            return f"This console is at {self._origin}."
        if scope["method"] in SAFE or scope["path"] in self._open_posts:
            return ""
        return "" if from_here(headers, self._origin) else "This did not come from a page of this console."


def from_here(headers: Headers, origin: str) -> bool:
    """Whether a browser says that a page of ours sent this, or a program with its own credential did.

    A page of another site can send neither our origin nor an Authorization header (without our leave).
    """
    told = headers.get("origin")
    if told is not None:
        return told == origin
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] == "same-origin"
    return "cookie" not in headers and ("authorization" in headers or "x-tacho-key" in headers)


async def _answer(send: Send, reason: str) -> None:
    body = f"{reason}\n".encode()
    kind = (b"content-type", b"text/plain; charset=utf-8")
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 403, "headers": [kind, length]})
    await send({"type": "http.response.body", "body": body})
