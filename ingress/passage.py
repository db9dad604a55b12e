"""The way of one exchange: its request is recorded, then forwarded; its answer forwarded, then recorded.

A single coroutine polls both sides and sleeps on one wake-up. It ends in exactly one of: answered in full,
refused in the protocol's own shape, or cut so that nobody takes the rest for the whole; and always in
exactly one `end` of the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from tachograph.ingress.admission import Decision, Effect
from tachograph.ingress.concealment import BodyConcealment
from tachograph.ingress.errors import (
    Ambiguous,
    BadRequest,
    ClientGone,
    ClientTimeout,
    GatewayFault,
    IngressError,
    UpstreamGarbage,
    UpstreamReset,
    UpstreamTimeout,
)
from tachograph.ingress.faults import log_fault
from tachograph.ingress.gate import Gate, Room, check_length
from tachograph.ingress.http.agent import AgentConnection
from tachograph.ingress.http.fields import end_to_end, trailer_fields
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.responses import ReceivedHead, ResponseParser
from tachograph.ingress.http.serialize import (
    CONTINUE,
    LAST_CHUNK,
    chunk,
    last_chunk,
    request_head,
    response_head,
)
from tachograph.ingress.llm.dialects import filter_of
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.stream import Filter
from tachograph.ingress.policy.paths import view
from tachograph.ingress.recording.recorder import MAX_PIECE_BYTES, ExchangeRecord
from tachograph.ingress.refusals import refuse, rpc_id
from tachograph.ingress.screen import Client, Screen
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.pool import UpstreamPool, idle_seconds
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import HeaderField

__all__ = ["PIECE_SECONDS", "Onward", "Passage"]

PIECE_SECONDS = 1.0
"""How long a part of a request's body may wait for more before it is recorded and sent on."""
BODY_SILENCE_SECONDS = 60.0
"""The longest silence in the middle of a request's body."""

# RFC 9110, 9.2.2
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

_OF_THE_BODY = frozenset({"content-length", "content-md5", "content-digest", "repr-digest", "digest", "etag"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Onward:
    """Where an admitted request goes, and what it looks like there."""

    connection: Connection
    pool: UpstreamPool
    target: str
    headers: tuple[HeaderField, ...]
    conceal: Callable[[tuple[HeaderField, ...]], tuple[HeaderField, ...]]
    """Takes the target's credential out of what the target sends back."""
    conceal_body: Callable[[tuple[HeaderField, ...]], BodyConcealment | None]
    """Likewise out of a body with these header fields, where the connection wants it."""

    def __repr__(self) -> str:
        return f"Onward(connection={self.connection.name!r})"  # the headers hold the target's credential


class Passage:
    """From the first byte of a body to the last byte of an answer."""

    def __init__(
        self,
        agent: AgentConnection,
        incoming: IncomingRequest,
        record: ExchangeRecord,
        *,
        protocol: Protocol | None,
    ) -> None:
        self._agent = agent
        self._incoming = incoming
        self._record = record
        self._protocol = protocol
        self._upstream: UpstreamConnection | None = None
        self._first_piece = b""
        self._request_recorded = False
        self._request_sent = False
        self._answering = False
        self._close_delimited = False
        self._gate: Gate | None = None
        self._heard = False
        """The target's own answer is on record, so ours in its place is not."""
        self._ended: IngressError | None = None
        """Why the answer was ended in its own protocol before its end."""

    async def run(self, way: Callable[[], Onward], gate: Gate | None = None) -> None:
        """Forward the request, if its gate lets it pass, and relay its response.

        `way` is asked last, once the request may go. Raises nothing but cancellation.
        """
        self._gate = gate
        try:
            if gate is None:
                onward = way()
                await self._forward(onward)
            else:
                onward = await self._pass(gate, way)
            await self._relay(onward)
        except IngressError as error:
            await self._fail(error)
        except asyncio.CancelledError:
            await self._fail(GatewayFault("the gateway was stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the exchange ends on record
            log_fault("exchange_failed", error)
            await self._fail(GatewayFault("a defect of the gateway; its log says where"))
        else:
            ended = self._ended
            self._record.end(error=ended.recorded() if ended else None, complete=ended is None)

    async def refuse(self, error: IngressError) -> None:
        """Answer without forwarding anything; the record holds the head and our answer."""
        await self._fail(error)

    # --- the gate ---

    async def _pass(self, gate: Gate, way: Callable[[], Onward]) -> Onward:
        """Have the request judged, from its head or as a whole, then send it on."""
        decision = None if gate.needs_body else self._judge(gate)
        if decision is not None and decision.effect is Effect.ALLOW:
            onward = way()
            await self._forward(onward)
            return onward
        check_length(self._incoming.length)
        with gate.waiting.room() as room:
            body, last = await self._collect(room)
            self._first_piece = body
            await self._settle(gate.with_body(body), decision, last)
            onward = way()
            await self._send_whole(onward, body)
        return onward

    def _judge(self, gate: Gate) -> Decision:
        decision, facts = gate.decide()
        self._record.judged(facts)
        gate.obey(decision)
        return decision

    async def _collect(self, room: Room) -> tuple[bytes, bytes]:
        """The whole body, and its last piece, which is the only one that is not on record yet."""
        self._invite()
        pieces: list[bytes] = []
        end = False
        while not end:
            if pieces:
                await self._record_request(pieces[-1], end=False)
            data, end = await self._next_piece()
            room.take(len(data))
            pieces.append(data)
        return b"".join(pieces), pieces[-1]

    async def _settle(self, gate: Gate, decision: Decision | None, last: bytes) -> None:
        """Return when the request may go: it is on record with the decision, and whoever must agree has."""
        if decision is None:
            decision, facts = gate.decide()
            self._record.judged(facts)
        await self._record_request(last, end=True)
        gate.obey(decision)
        if decision.effect is Effect.APPROVAL:
            await gate.holder.hold(
                gate.asked, decision, self._record, alive=self._stay, gone=lambda: self._agent.gone
            )
        self._check_agent()

    def _stay(self) -> None:
        """Tell a client that waits for people that we are still here (RFC 9110, 15.2.1).

        `102 Processing` says it better, and Python's own http.client takes it for the answer.
        """
        if self._incoming.http_version == "1.1":
            self._agent.write(CONTINUE)

    async def _send_whole(self, onward: Onward, body: bytes) -> None:
        await self._send(onward, body[:MAX_PIECE_BYTES], end=len(body) <= MAX_PIECE_BYTES, fresh=False)
        for start in range(MAX_PIECE_BYTES, len(body), MAX_PIECE_BYTES):
            await self._drain_upstream(onward.connection.timeouts.write)
            if self._answered():
                return
            data, end = body[start : start + MAX_PIECE_BYTES], start + MAX_PIECE_BYTES >= len(body)
            self._stream().write(self._framed(data, end=end))
            self._request_sent = end

    # --- the request's way ---

    def _invite(self) -> None:
        if self._incoming.expects_continue and not self._incoming.body.size:
            self._agent.write(CONTINUE)

    async def _forward(self, onward: Onward) -> None:
        self._invite()
        data, end = await self._next_piece()
        self._first_piece = data
        await self._record_request(data, end=end)
        self._check_agent()
        await self._send(onward, data, end=end, fresh=False)
        while not self._request_sent and not self._answered():
            await self._drain_upstream(onward.connection.timeouts.write)
            data, end = await self._next_piece()
            if data or end:
                await self._record_request(data, end=end)
                self._stream().write(self._framed(data, end=end))
                self._request_sent = end
        if not self._request_recorded:
            await self._record_request(b"", end=True, complete=False)

    async def _send(self, onward: Onward, data: bytes, *, end: bool, fresh: bool) -> None:
        upstream = await onward.pool.acquire(fresh=fresh)
        self._upstream = upstream
        self._check_agent()
        upstream.begin(self._incoming.method, self._agent.wakeup.set)
        head = request_head(self._incoming.method, onward.target, onward.headers)
        upstream.write(head + self._framed(data, end=end))
        self._request_sent = end

    async def _next_piece(self) -> tuple[bytes, bool]:
        """What is to be recorded and sent on next; (b"", False) if the target has already answered."""
        body = self._incoming.body
        if not body.complete and body.size < MAX_PIECE_BYTES:
            await self._gather()
        if self._incoming.fault is not None:
            raise self._incoming.fault
        data = body.take(MAX_PIECE_BYTES)
        self._agent.relieve()
        return data, body.exhausted

    async def _gather(self) -> None:
        wakeup, body = self._agent.wakeup, self._incoming.body
        silent_until = wakeup.now() + BODY_SILENCE_SECONDS
        piece_until = wakeup.now() + PIECE_SECONDS if body.size else None
        while not (body.complete or body.size >= MAX_PIECE_BYTES or self._incoming.fault or self._answered()):
            self._check_agent()
            if not await wakeup.wait(piece_until or silent_until):
                if piece_until is None:
                    raise ClientTimeout(f"the request's body stopped for {BODY_SILENCE_SECONDS:g} s")
                return
            if piece_until is None and body.size:
                piece_until = wakeup.now() + PIECE_SECONDS

    def _framed(self, data: bytes, *, end: bool) -> bytes:
        if self._incoming.length != -1:
            return data
        return (chunk(data) if data else b"") + (LAST_CHUNK if end else b"")

    async def _drain_upstream(self, seconds: float) -> None:
        until = self._agent.wakeup.now() + seconds
        while self._stream().write_paused and not self._answered():
            self._check_agent()
            if not await self._agent.wakeup.wait(until):
                raise UpstreamTimeout(f"the target read nothing for {seconds:g} s")

    async def _record_request(self, data: bytes, *, end: bool, complete: bool = True) -> None:
        await self._record.request(data, end=end, complete=complete)
        self._request_recorded = end

    # --- the response's way ---

    async def _relay(self, onward: Onward) -> None:
        try:
            head = await self._await_head(onward)
        except UpstreamReset:
            if not self._may_repeat():
                raise
            self._stream().close()
            await self._send(onward, b"", end=True, fresh=True)
            head = await self._await_head(onward)
        answered = self._answer_filter(onward, head)
        self._record.response_head(
            status=head.status,
            reason=head.reason,
            http_version=head.http_version,
            headers=head.headers,
            origin="upstream",
        )
        self._agent.reusable = self._will_keep()
        if answered is None:
            await self._pump(onward, head)
        else:
            await self._pump_screened(onward, _open_ended(head), answered)
        self._give_back(onward, head)

    async def _await_head(self, onward: Onward) -> ReceivedHead:
        upstream, response = self._stream(), self._response()
        seconds, write = onward.connection.timeouts.response, onward.connection.timeouts.write
        until = self._agent.wakeup.now() + seconds
        while True:
            while response.interim:
                self._forward_interim(_concealed(response.interim.popleft(), onward))
                await self._agent.drain(write)
            if response.head is not None:
                return _concealed(response.head, onward)
            if (trouble := upstream.trouble) is not None:
                raise trouble
            self._check_agent()
            if not await self._agent.wakeup.wait(until):
                raise UpstreamTimeout(f"the target sent no response within {seconds:g} s")

    async def _pump(self, onward: Onward, head: ReceivedHead) -> None:
        timeouts = onward.connection.timeouts
        upstream, response, agent = self._stream(), self._response(), self._agent
        chunked = head.length in {None, -1} and self._incoming.http_version == "1.1"
        self._close_delimited = head.length in {None, -1} and not chunked
        out = response_head(head.status, head.reason, self._response_fields(head, chunked=chunked))
        self._answering = True
        concealment = onward.conceal_body(head.headers)
        while True:
            data = upstream.take(MAX_PIECE_BYTES)
            done = response.body.exhausted
            if concealment is not None:
                data = concealment.feed(data, end=done)
            if data:
                out += chunk(data) if chunked else data
            if done and chunked:
                out += last_chunk(self._trailers(onward.conceal(response.trailers)))
            if out:
                agent.write(out)
                out = b""
            if data:
                self._record.response_data(data)
            if data or done:
                await agent.drain(timeouts.write)
            if done:
                return
            if data:
                await self._record.ready()
                continue
            await self._await_body(upstream, timeouts.read)

    def _answer_filter(self, onward: Onward, head: ReceivedHead) -> Filter | None:
        """What cuts tool calls out of this answer, where policies look at them."""
        if self._gate is None or not self._gate.reads_tools or head.length == 0:
            return None
        if not 200 <= head.status < 300:
            return None
        try:
            return filter_of(view(onward.target.partition("?")[0]).folded, head.headers)
        except Unreadable as error:
            raise UpstreamGarbage(f"policies look at tool calls here: {error}") from None

    async def _pump_screened(self, onward: Onward, head: ReceivedHead, filter_: Filter) -> None:
        """As `_pump`, for an answer in which tool calls are judged. The record has what the target sent."""
        agent, chunked = self._agent, self._incoming.http_version == "1.1"
        self._close_delimited, self._heard = not chunked, True
        out = [response_head(head.status, head.reason, self._response_fields(head, chunked=chunked))]

        def send(data: bytes) -> None:
            self._answering = True
            out.append(chunk(data) if chunked and data else data)
            agent.write(b"".join(out))
            out.clear()

        async def emit(data: bytes) -> None:
            if data:
                send(data)
                await agent.drain(onward.connection.timeouts.write)

        if self._gate is None:
            raise GatewayFault("a screen without a gate")
        client = Client(send, self._stay, lambda: agent.gone)
        with Screen(filter_, self._gate, self._record, client) as screen:
            if screen.streams:
                send(b"")
            await self._screen_body(onward, screen, onward.conceal_body(head.headers), emit)
        if screen.error is not None and not self._answering:
            raise screen.error
        self._ended = screen.error
        if chunked:
            out.append(last_chunk(self._trailers(onward.conceal(self._response().trailers))))
        agent.write(b"".join(out))
        self._answering = True
        await agent.drain(onward.connection.timeouts.write)

    async def _screen_body(
        self,
        onward: Onward,
        screen: Screen,
        concealment: BodyConcealment | None,
        emit: Callable[[bytes], Awaitable[None]],
    ) -> None:
        upstream, response, done = self._stream(), self._response(), False
        while not done and screen.error is None:
            data = upstream.take(MAX_PIECE_BYTES)
            done = response.body.exhausted
            if concealment is not None:
                data = concealment.feed(data, end=done)
            self._record.response_data(data)
            await screen.feed(data, end=done, out=emit)
            if data:
                await self._record.ready()
            elif not done and screen.error is None:
                await self._await_body(upstream, onward.connection.timeouts.read)

    async def _await_body(self, upstream: UpstreamConnection, seconds: float) -> None:
        if (trouble := upstream.trouble) is not None:
            raise trouble
        self._check_agent()
        if not await self._agent.wakeup.wait(self._agent.wakeup.now() + seconds):
            raise UpstreamTimeout(f"the target was silent for {seconds:g} s in the middle of its response")

    def _response_fields(self, head: ReceivedHead, *, chunked: bool) -> list[HeaderField]:
        fields = list(end_to_end(head.headers, head.control))
        if head.status == 204:  # RFC 9110, 8.6: no Content-Length in a 204
            fields = [field for field in fields if field[0].lower() != "content-length"]
        if chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        if not self._agent.reusable:
            fields.append(("Connection", "close"))
        return fields

    def _forward_interim(self, head: ReceivedHead) -> None:
        if self._incoming.http_version == "1.1":
            self._agent.write(response_head(head.status, head.reason, end_to_end(head.headers, head.control)))

    def _trailers(self, trailers: Sequence[HeaderField]) -> Sequence[HeaderField]:
        if trailers:
            self._record.response_trailers(trailers)
        return trailer_fields(trailers) if self._incoming.takes_trailers else ()

    def _give_back(self, onward: Onward, head: ReceivedHead) -> None:
        clean = self._request_sent and self._ended is None
        onward.pool.release(self._stream(), idle=idle_seconds(head.headers), clean=clean)
        self._upstream = None

    # --- the ways to end badly ---

    async def _fail(self, error: IngressError) -> None:
        cut = self._heard and self._upstream is not None and not self._response().body.exhausted
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None
        await self._close_request()
        if self._agent.gone or self._answering or isinstance(error, ClientGone):
            self._agent.cut(reset=self._close_delimited or isinstance(error, ClientTimeout))
            self._record.end(error=error.recorded(), complete=False)
            return
        self._answer(error)
        self._record.end(error=error.recorded(), complete=not cut)

    async def _close_request(self) -> None:
        if self._request_recorded:
            return
        try:
            # Bytes of a body that were not taken are not in the record, so it is not complete.
            await self._record_request(b"", end=True, complete=self._incoming.length == 0)
        except IngressError as error:
            _log.warning("request record not closed", code=error.code)

    def _answer(self, error: IngressError) -> None:
        self._incoming.body.discard()
        self._agent.reusable = self._will_keep() and (
            not isinstance(error, BadRequest) or isinstance(error, Ambiguous)
        )
        refusal = refuse(
            error,
            protocol=self._protocol,
            target=self._incoming.target,
            exchange=self._record.exchange,
            rpc=rpc_id(self._first_piece) if self._protocol is Protocol.MCP else None,
        )
        closing = () if self._agent.reusable else (("Connection", "close"),)
        body = b"" if self._incoming.method == "HEAD" else refusal.body
        self._agent.write(response_head(refusal.status, refusal.reason, (*refusal.headers, *closing)) + body)
        if self._heard:
            return
        self._record.response_head(
            status=refusal.status,
            reason=refusal.reason,
            http_version="1.1",
            headers=refusal.headers,
            origin="gateway",
        )
        if body:
            self._record.response_data(body)

    # --- what both ways ask ---

    def _will_keep(self) -> bool:
        return self._incoming.keep_alive and self._incoming.body.complete and not self._agent.draining

    def _may_repeat(self) -> bool:
        """Only what lost the race with an idle connection's close, and only what is safe to send twice."""
        upstream = self._stream()
        started = upstream.response is not None and upstream.response.started
        unsent_body = self._incoming.length == 0
        return upstream.served > 0 and not started and unsent_body and self._incoming.method in _IDEMPOTENT

    def _answered(self) -> bool:
        """Whether the target has answered, or has gone, before the whole request was sent."""
        upstream = self._upstream
        if upstream is None or upstream.response is None:
            return False
        return upstream.response.head is not None or upstream.trouble is not None

    def _check_agent(self) -> None:
        if self._agent.gone:
            raise ClientGone("the client left before the exchange was complete")

    def _stream(self) -> UpstreamConnection:
        if self._upstream is None:
            raise GatewayFault("no upstream connection")
        return self._upstream

    def _response(self) -> ResponseParser:
        response = self._stream().response
        if response is None:
            raise GatewayFault("no exchange on the upstream connection")
        return response


def _open_ended(head: ReceivedHead) -> ReceivedHead:
    """The head of a body whose length and digest may come to differ from what was announced."""
    kept = tuple(field for field in head.headers if field[0].lower() not in _OF_THE_BODY)
    return replace(head, headers=kept, length=None)


def _concealed(head: ReceivedHead, onward: Onward) -> ReceivedHead:
    headers = onward.conceal(head.headers)
    return head if headers is head.headers else replace(head, headers=headers)
