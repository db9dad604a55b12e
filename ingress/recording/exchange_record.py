"""The record of one exchange while it happens: one `request`, one `response`, and `chunk` records between.

Below 256 KiB and one second a body lies in its closing record; longer ones become chunks, each with the
running SHA-256, and the closing record carries the totals. Whatever happens, exactly one of each is written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol
from uuid import UUID

from tachograph.ingress.errors import BadRequest
from tachograph.ingress.recording.claims import Claims
from tachograph.ingress.recording.context import MAX_CONTEXT_BYTES, NO_CONTEXT, request_context
from tachograph.ingress.recording.exchange_meta import (
    NO_ANSWER,
    Fields,
    RequestHead,
    ResponseHead,
    body_totals,
    chunk_meta,
    context_fields,
    request_line,
    request_meta,
    response_meta,
    timing,
)
from tachograph.ingress.recording.sessions import OpenStrand
from tachograph.ingress.recording.strand import Scope
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.connection import Connection
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.event import Direction, EventType
from tachograph.schemas.payload import (
    ApprovalMeta,
    DecisionMeta,
    ExchangeError,
    HeaderField,
    PolicyDecision,
    ToolDecision,
)

__all__ = ["MAX_PIECE_BYTES", "PIECE_SECONDS", "ExchangeRecord", "Journal", "Opening", "RequestHead"]

MAX_PIECE_BYTES = 256 * 1024
PIECE_SECONDS = 1.0
"""Recorded bytes wait no longer than this for more of their kind."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known when an exchange begins.

    `started_ns` is Unix time, `origin_ns` the same moment on the monotonic clock.
    """

    exchange: UUID
    connection: Connection | None
    claims: Claims
    head: RequestHead
    upstream: str
    started_ns: int
    origin_ns: int
    registry: str | None = None
    injected: tuple[str, ...] = field(default=(), repr=False)
    """`RequestMeta.injected`"""


MAX_CUT_TARGET = 1024
"""What is kept of the target of a request whose head is too long to be recorded and is refused for it."""


class Journal(Protocol):
    """Where sealed records go: the recorder."""

    async def admit(self) -> None: ...
    def add(self, entry: SpoolEntry) -> int: ...
    async def durable(self, count: int) -> None: ...
    async def calm(self) -> None: ...
    def ended(self, held: OpenStrand, *, connection: str | None, error: str | None) -> None: ...
    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle: ...
    def monotonic_ns(self) -> int: ...


@dataclass(slots=True)
class _Body:
    """One direction's bytes: counted, hashed, and cut into chunks."""

    kind: tuple[str | None, str | None]
    """Content type and content encoding, for the masker."""
    length: int = 0
    chunks: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def chunk(self, data: bytes) -> bytes:
        offset = self.length
        self.count(data)
        self.chunks += 1
        return chunk_meta(
            index=self.chunks - 1, offset=offset, sha256=self.sha256.hexdigest(), kind=self.kind
        )

    def count(self, data: bytes) -> None:
        self.sha256.update(data)
        self.length += len(data)

    def totals(self, *, complete: bool) -> Fields:
        return body_totals(self.length, self.sha256.hexdigest(), chunks=self.chunks, complete=complete)


class ExchangeRecord:
    """One exchange. `request` is awaited before bytes are forwarded; the response side never waits."""

    def __init__(self, journal: Journal, held: OpenStrand, opening: Opening) -> None:
        head = opening.head
        self.exchange: UUID = opening.exchange
        self.session: UUID = held.strand.session
        self.request_uid: UUID | None = None
        """Of the `request` record, once it is written."""
        self._journal = journal
        self._held = held
        self._scope = Scope(opening.exchange, opening.connection, opening.claims, opening.registry)
        self._head = head
        self._injected = opening.injected
        self._line = request_line(head.method, head.target, opening.upstream)
        self._started_ns = opening.started_ns
        self._origin_ns = opening.origin_ns
        self._request = _Body(_kind(head.headers))
        self._request_closed = False
        self._request_end: int | None = None
        self._seen: list[bytes] = []
        self._context: Fields = {}
        self._decision: PolicyDecision | None = None
        self._answer = NO_ANSWER
        self._trailers: tuple[HeaderField, ...] = ()
        self._response = _Body((None, None))
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._first_byte: int | None = None
        self._ended = False

    # -- the request -------------------------------------------------------------------------------

    def judged(self, decision: PolicyDecision) -> None:
        """Take note of what the policies said; to be called before the request's last piece is recorded."""
        self._decision = decision

    async def request(self, data: bytes, *, end: bool, complete: bool = True) -> None:
        """Record one piece of the request's body; durable when it returns.

        Raises `RecorderFull`, and `BadRequest` for a head that is too long for a record.
        """
        await self._journal.admit()
        if not end:
            await self._journal.durable(self._request_chunk(data))
            return
        try:
            count = self._close_request(data, complete=complete)
        except MalformedRecord:
            raise BadRequest("the request's head is too long to be recorded", status=431) from None
        self._request_end = self._elapsed()
        await self._journal.durable(count)

    async def decided(
        self, decision: Literal["allow", "deny"], *, reason: str, approval: ApprovalMeta
    ) -> None:
        """Record what people decided about the request; durable when it returns. Raises `RecorderFull`."""
        await self._decide(decision, Direction.REQUEST, reason=reason, approval=approval)

    async def decided_tool(
        self,
        decision: Literal["allow", "deny", "hold"],
        *,
        reason: str,
        tool: ToolDecision,
        policy: PolicyDecision,
        approval: ApprovalMeta | None = None,
    ) -> UUID:
        """Record what was decided about a tool call in the answer; durable when it returns its `uid`.

        Raises `RecorderFull`.
        """
        told = {"reason": reason, "tool": tool, "policy": policy, "approval": approval}
        return await self._decide(decision, Direction.RESPONSE, **told)

    async def _decide(self, decision: str, direction: Direction, **told: object) -> UUID:
        await self._journal.admit()
        meta = DecisionMeta.model_validate({"decision": decision, "line": self._line, **told})
        data = meta.model_dump_json(exclude_none=True).encode()
        entry = self._entry(EventType.DECISION, data, b"", direction)
        await self._journal.durable(self._journal.add(entry))
        return _uid(entry)

    def _request_chunk(self, data: bytes) -> int:
        self._remember(data)
        return self._add(EventType.CHUNK, self._request.chunk(data), data, Direction.REQUEST)

    def _close_request(self, data: bytes, *, complete: bool) -> int:
        if self._request.chunks and data:
            self._request_chunk(data)
            data = b""
        elif data:
            self._remember(data)
            self._request.count(data)
        self._context = self._read_context()
        meta = request_meta(
            self._head,
            line=self._line,
            context=self._context,
            body=self._request.totals(complete=complete),
            credential=self._credential(),
            decision=self._decision,
            injected=self._injected,
        )
        count = self._add(EventType.REQUEST, meta, data, Direction.REQUEST, incomplete=not complete)
        self._request_closed = True
        return count

    def _remember(self, data: bytes) -> None:
        if self._request.length + len(data) <= MAX_CONTEXT_BYTES:
            self._seen.append(data)
        else:
            self._seen.clear()

    def _read_context(self) -> Fields:
        connection = self._scope.connection
        body, self._seen = b"".join(self._seen), []
        if connection is None or len(body) != self._request.length:
            return {}
        context = request_context(connection.protocol, body, content_encoding=self._request.kind[1] or "")
        return {} if context is NO_CONTEXT else context_fields(context)

    def _credential(self) -> str | None:
        connection = self._scope.connection
        if connection is None or connection.credential is None:
            return None
        return connection.credential.name or connection.credential.type

    # -- the response ------------------------------------------------------------------------------

    def response_head(
        self,
        *,
        status: int,
        reason: str,
        http_version: str,
        headers: Sequence[HeaderField],
        origin: Literal["upstream", "gateway", "none"],
    ) -> None:
        """The final head of the answer; the last call counts."""
        self._answer = ResponseHead(status, reason, http_version, tuple(headers), origin)
        self._response.kind = _kind(headers)
        self._mark_first_byte()

    def response_data(self, data: bytes) -> None:
        """Take note of bytes that are already on their way to the agent; never blocks."""
        if not data or self._ended:
            return
        self._mark_first_byte()
        self._buffer.append(data)
        self._buffered += len(data)
        while self._buffered >= MAX_PIECE_BYTES:
            self._flush()
        if self._buffer and self._timer is None:
            self._timer = self._journal.later(PIECE_SECONDS, self._on_timer)

    def response_trailers(self, trailers: Sequence[HeaderField]) -> None:
        """Trailer fields, after the last byte of the body."""
        self._trailers = tuple(trailers)

    async def ready(self) -> None:
        """Return when the recorder can take more; at once in good times. Raises `RecorderFull` after 60 s."""
        await self._journal.calm()

    def end(self, *, error: ExchangeError | None = None, complete: bool = True) -> None:
        """Write the one `response` record; a second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self._stop_timer()
        if not self._request_closed:  # it broke off before its end, or could not be recorded
            self._close_broken_request()
        if self._response.chunks and self._buffer:
            self._flush()
        body, self._buffer = b"".join(self._buffer), []
        self._response.count(body)
        meta = self._response_meta(error, complete=complete)
        try:
            self._add(EventType.RESPONSE, meta, body, Direction.RESPONSE, incomplete=not complete)
        except MalformedRecord:  # a head beyond all bounds must not cost the record
            self._answer, self._trailers = replace(self._answer, headers=()), ()
            meta = self._response_meta(error, complete=complete)
            self._add(EventType.RESPONSE, meta, body, Direction.RESPONSE, incomplete=True)
        connection = self._scope.connection.name if self._scope.connection else None
        self._journal.ended(self._held, connection=connection, error=error.code if error else None)

    def _close_broken_request(self) -> None:
        try:
            self._close_request(b"", complete=False)
        except MalformedRecord:
            self._head = replace(self._head, headers=())
            self._line = self._line | {"target": self._head.target[:MAX_CUT_TARGET]}
            self._close_request(b"", complete=False)

    def _response_meta(self, error: ExchangeError | None, *, complete: bool) -> bytes:
        return response_meta(
            self._answer,
            trailers=self._trailers,
            repeated={"request": self._line, "client": self._head.client, "context": self._context},
            body=self._response.totals(complete=complete),
            timing=timing(
                start=self._started_ns,
                request_end=self._request_end,
                first_byte=self._first_byte,
                end=self._elapsed(),
            ),
            error=error,
        )

    def _flush(self) -> None:
        data = b"".join(self._buffer)
        piece, rest = data[:MAX_PIECE_BYTES], data[MAX_PIECE_BYTES:]
        self._buffer = [rest] if rest else []
        self._buffered = len(rest)
        self._stop_timer()
        self._add(EventType.CHUNK, self._response.chunk(piece), piece, Direction.RESPONSE)

    def _on_timer(self) -> None:
        self._timer = None
        if self._buffer and not self._ended:
            self._flush()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- both --------------------------------------------------------------------------------------

    def _add(
        self, type_: EventType, meta: bytes, body: bytes, direction: Direction, *, incomplete: bool = False
    ) -> int:
        entry = self._entry(type_, meta, body, direction, incomplete=incomplete)
        if type_ is EventType.REQUEST:
            self.request_uid = _uid(entry)
        return self._journal.add(entry)

    def _entry(
        self, type_: EventType, meta: bytes, body: bytes, direction: Direction, *, incomplete: bool = False
    ) -> SpoolEntry:
        return self._held.strand.record(
            type_, meta, body, scope=self._scope, direction=direction, incomplete=incomplete
        )

    def _mark_first_byte(self) -> None:
        if self._first_byte is None:
            self._first_byte = self._elapsed()

    def _elapsed(self) -> int:
        """Microseconds since the exchange's first byte, by a clock that never goes back."""
        return (self._journal.monotonic_ns() - self._origin_ns) // 1000


def _uid(entry: SpoolEntry) -> UUID:
    return UUID(dict(entry.headers)["uid"].decode())


def _kind(headers: Sequence[HeaderField]) -> tuple[str | None, str | None]:
    found = {name.lower(): value for name, value in headers}
    return found.get("content-type"), found.get("content-encoding")
