"""Count what a server is really asked: one JSON line for each finished HTTP exchange, and no payload in it.

Whoever wants to know whether a gateway has recorded everything counts here, independently of the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_NOTED_BYTES = 1 << 20

Note = Callable[[bytes], Mapping[str, object]]
"""Facts from a request's body that go into its line."""


def nothing(_: bytes) -> Mapping[str, object]:
    """No facts."""
    return {}


class ExchangeLog:
    """ASGI middleware: appends `{"server", "method", "path", "status", ...}` when an exchange is over.

    A status of 0 is an exchange whose client went away before there was an answer.
    """

    def __init__(self, app: ASGIApp, *, server: str, file: Path | None, note: Note = nothing) -> None:
        self._app = app
        self._server = server
        self._file = file
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._write(scope, exchange)

    def _write(self, scope: Scope, exchange: _Exchange) -> None:
        if self._file is None:
            return
        line = {
            "server": self._server,
            "method": scope["method"],
            "path": scope["path"],
            "status": exchange.status,
            **self._note(bytes(exchange.body)),
        }
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")


class _Exchange:
    """One request's body as far as it is noted, and its answer's status."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.body = bytearray()
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and len(self.body) < MAX_NOTED_BYTES:
            self.body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
