"""The request's way: judged where it must be, recorded, then sent on; never the other way round.

A body that no policy reads goes on piece by piece, as each is on record; any other as a whole, once it may.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from tachograph.ingress.admission import Decision, Effect
from tachograph.ingress.crossing import Crossing, Onward
from tachograph.ingress.errors import ClientTimeout, IngressError, UpstreamTimeout
from tachograph.ingress.gate import Gate, Room, check_length
from tachograph.ingress.http.serialize import CONTINUE, LAST_CHUNK, chunk, request_head
from tachograph.ingress.recording.recorder import MAX_PIECE_BYTES

__all__ = ["PIECE_SECONDS", "RequestWay"]

PIECE_SECONDS = 1.0
"""How long a part of a request's body may wait for more before it is recorded and sent on."""
BODY_SILENCE_SECONDS = 60.0
"""The longest silence in the middle of a request's body."""

# RFC 9110, 9.2.2
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

_log = structlog.get_logger(__name__)


class RequestWay:
    """From the first byte of a request's body to its last at the target."""

    def __init__(self, crossing: Crossing) -> None:
        self.first_piece = b""
        """What came of the body first: a refusal may answer the call that it holds."""
        self._crossing = crossing
        self._agent = crossing.agent
        self._incoming = crossing.incoming
        self._record = crossing.record
        self._recorded = False

    async def forward(self, onward: Onward) -> None:
        """Record and send on, piece by piece. Raises `IngressError`."""
        self._invite()
        data, end = await self._next_piece()
        self.first_piece = data
        await self._record_request(data, end=end)
        self._crossing.check_agent()
        await self._send(onward, data, end=end, fresh=False)
        while not self._crossing.request_sent and not self._crossing.answered():
            await self._drain_upstream(onward.connection.timeouts.write)
            data, end = await self._next_piece()
            if data or end:
                await self._record_request(data, end=end)
                self._crossing.stream().write(self._framed(data, end=end))
                self._crossing.request_sent = end
        if not self._recorded:
            await self._record_request(b"", end=True, complete=False)

    async def judged(self, gate: Gate, way: Callable[[], Onward]) -> Onward:
        """Have the request judged, from its head or as a whole, then send it on."""
        decision = None if gate.needs_body else self._judge(gate)
        if decision is not None and decision.effect is Effect.ALLOW:
            onward = way()
            await self.forward(onward)
            return onward
        check_length(self._incoming.length)
        with gate.waiting.room() as room:
            body, last = await self._collect(room)
            self.first_piece = body
            approved = await self._settle(gate.with_body(body), decision, last)
            onward = way()
            # What people approved goes once: on a kept connection it could be lost and have to be repeated.
            await self._send_whole(onward, body, fresh=approved)
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

    async def _settle(self, gate: Gate, decision: Decision | None, last: bytes) -> bool:
        """Return when the request may go: it is on record with the decision, and whoever must agree has.

        True where somebody had to.
        """
        if decision is None:
            decision, facts = gate.decide()
            self._record.judged(facts)
        await self._record_request(last, end=True)
        gate.obey(decision)
        if decision.effect is Effect.APPROVAL:
            await gate.holder.hold(
                gate.asked, decision, self._record, alive=self._crossing.stay, gone=lambda: self._agent.gone
            )
            gate.still()
        self._crossing.check_agent()
        return decision.effect is Effect.APPROVAL

    async def _send_whole(self, onward: Onward, body: bytes, *, fresh: bool) -> None:
        await self._send(onward, body[:MAX_PIECE_BYTES], end=len(body) <= MAX_PIECE_BYTES, fresh=fresh)
        for start in range(MAX_PIECE_BYTES, len(body), MAX_PIECE_BYTES):
            await self._drain_upstream(onward.connection.timeouts.write)
            if self._crossing.answered():
                return
            data, end = body[start : start + MAX_PIECE_BYTES], start + MAX_PIECE_BYTES >= len(body)
            self._crossing.stream().write(self._framed(data, end=end))
            self._crossing.request_sent = end

    async def repeat(self, onward: Onward) -> bool:
        """Send it once more, on a new connection, where that is safe."""
        if not self._may_repeat():
            return False
        self._crossing.stream().close()
        await self._send(onward, b"", end=True, fresh=True)
        return True

    async def close(self) -> None:
        """End the request's record, where it has not ended."""
        if self._recorded:
            return
        try:
            # Bytes of a body that were not taken are not in the record, so it is not complete.
            await self._record_request(b"", end=True, complete=self._incoming.length == 0)
        except IngressError as error:
            _log.warning("request record not closed", code=error.code)

    def _invite(self) -> None:
        if self._incoming.expects_continue and not self._incoming.body.size:
            self._agent.write(CONTINUE)

    async def _send(self, onward: Onward, data: bytes, *, end: bool, fresh: bool) -> None:
        upstream = await onward.pool.acquire(fresh=fresh)
        self._crossing.upstream = upstream
        self._crossing.check_agent()
        upstream.begin(self._incoming.method, self._agent.wakeup.set)
        head = request_head(self._incoming.method, onward.target, onward.headers)
        upstream.write(head + self._framed(data, end=end))
        self._crossing.request_sent = end

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
        while not (
            body.complete or body.size >= MAX_PIECE_BYTES or self._incoming.fault or self._crossing.answered()
        ):
            self._crossing.check_agent()
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
        while self._crossing.stream().write_paused and not self._crossing.answered():
            self._crossing.check_agent()
            if not await self._agent.wakeup.wait(until):
                raise UpstreamTimeout(f"the target read nothing for {seconds:g} s")

    async def _record_request(self, data: bytes, *, end: bool, complete: bool = True) -> None:
        await self._record.request(data, end=end, complete=complete)
        self._recorded = end

    def _may_repeat(self) -> bool:
        """Only what lost the race with an idle connection's close, and only what is safe to send twice."""
        upstream = self._crossing.stream()
        started = upstream.response is not None and upstream.response.started
        unsent_body = self._incoming.length == 0
        return upstream.served > 0 and not started and unsent_body and self._incoming.method in _IDEMPOTENT
