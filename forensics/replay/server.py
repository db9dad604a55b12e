"""The recorded session served over HTTP as the upstream that it was: an ASGI application.

An agent reaches it as it reaches the gateway, at `/c/<connection>/...` or under a connection's own host name.
Each request is masked before anything is compared, told or reported.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tachograph.forensics.replay.answers import Answer, Ending, answer_of
from tachograph.forensics.replay.recorded import Field, Request
from tachograph.forensics.replay.refusals import Refusal, refusal
from tachograph.forensics.replay.tape import Found, Tape, Verdict

__all__ = ["MAX_BODY_BYTES", "BrokenOff", "Came", "Mask", "ReplayServer"]

MAX_BODY_BYTES = 64 << 20
"""Of one request; the gateway's masker takes no more either."""
_PREFIXED = re.compile(r"/c/([^/?#]+)(.*)", re.DOTALL)
_NO_BODY = frozenset({204, 304})
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BrokenOff(Exception):
    """The recorded answer ends here, in the middle; so does the connection."""


@dataclass(frozen=True, slots=True)
class Came:
    """A request as it came. `connection` is empty where its path or host names none that was recorded."""

    connection: str
    method: str
    target: str
    headers: tuple[Field, ...] = field(repr=False)
    body: bytes = field(repr=False)


class Mask(Protocol):
    """The processors' masking: what a document of this request would say."""

    def __call__(self, came: Came, /) -> Request: ...


class ReplayServer:
    """Answers from a tape. `told` hears of every verdict, `fast` leaves out the waiting."""

    def __init__(  # noqa: PLR0913  the last two are for tests
        self,
        tape: Tape,
        mask: Mask,
        *,
        hosts: Mapping[str, str],
        fast: bool = False,
        told: Callable[[Request, Verdict], None] = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`hosts` are connections by the host names of their own, in lower case; `clock` is in seconds."""
        self._tape, self._mask, self._hosts = tape, mask, hosts
        self._fast, self._told = fast, told
        self._clock, self._sleep = clock, sleep
        self._names = {exchange.request.connection for exchange in tape.exchanges}
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One exchange (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"expected http, got {scope['type']}")
        body = await _body(receive)
        came_at = self._clock()
        if body is None:
            await _send(send, Refusal("too-large", 413, (), b""), head=False)
            return
        came = self._came(scope, body)
        async with self._one_at_a_time:
            request = await asyncio.to_thread(self._mask, came)
            verdict = self._tape.ask(request)
        self._told(request, verdict)
        asked = body.decode("utf-8", "replace")
        if isinstance(verdict, Found):
            await self._play(answer_of(verdict.exchange, asked), came, came_at, receive, send)
        else:
            await _send(send, refusal(request, verdict, asked=asked), head=came.method == "HEAD")

    def _came(self, scope: Mapping[str, Any], body: bytes) -> Came:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        host = next((value for name, value in headers if name.lower() == "host"), "").lower()
        connection = self._hosts.get(host) or self._hosts.get(host.rpartition(":")[0]) or ""
        if not connection and (match := _PREFIXED.fullmatch(path)) and match[1] in self._names:
            connection, path = match[1], match[2]
        return Came(connection, scope["method"], f"{path}?{query}" if query else path, headers, body)

    async def _play(self, answer: Answer, came: Came, came_at: float, receive: Receive, send: Send) -> None:
        bare = came.method == "HEAD" or answer.status in _NO_BODY
        await self._until(came_at, answer.first_byte)
        length = None if bare or _streams(answer) else answer.length
        await send(_start(answer.status, answer.headers, length))
        for block in () if bare else answer.blocks:
            await self._until(came_at, block.at)
            await send({"type": "http.response.body", "body": block.data, "more_body": True})
        if answer.ending is Ending.BROKEN and not bare:
            raise BrokenOff
        while answer.ending is Ending.LEFT and not bare:
            if (await receive())["type"] == "http.disconnect":
                return
        await send({"type": "http.response.body", "body": b""})

    async def _until(self, came_at: float, micros: int) -> None:
        if not self._fast:
            await self._sleep(max(0.0, came_at + micros / 1_000_000 - self._clock()))


def _streams(answer: Answer) -> bool:
    return len(answer.blocks) > 1 or answer.ending is not Ending.WHOLE


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None for one that is longer than `MAX_BODY_BYTES`."""
    data = bytearray()
    while True:
        message = await receive()
        data += message.get("body", b"")
        if len(data) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(data)


async def _send(send: Send, answer: Refusal, *, head: bool) -> None:
    await send(_start(answer.status, answer.headers, len(answer.body)))
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


def _start(status: int, headers: tuple[Field, ...], length: int | None) -> Message:
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if length is not None and status not in _NO_BODY:
        fields.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": status, "headers": fields}
