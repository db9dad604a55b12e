"""The response's way: its head awaited, its body handed on as it comes and recorded, tool calls judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tachograph.ingress.concealment import BodyConcealment
from tachograph.ingress.crossing import Crossing, Onward
from tachograph.ingress.errors import GatewayFault, UpstreamGarbage, UpstreamTimeout
from tachograph.ingress.gate import Gate
from tachograph.ingress.http.fields import end_to_end, trailer_fields
from tachograph.ingress.http.responses import ReceivedHead
from tachograph.ingress.http.serialize import chunk, last_chunk, response_head
from tachograph.ingress.llm.dialects import filter_of
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.stream import Filter
from tachograph.ingress.policy.paths import view
from tachograph.ingress.recording.recorder import MAX_PIECE_BYTES
from tachograph.ingress.screen import Client, Screen
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.pool import idle_seconds
from tachograph.schemas.payload import HeaderField

__all__ = ["ResponseWay"]

_OF_THE_BODY = frozenset({"content-length", "content-md5", "content-digest", "repr-digest", "digest", "etag"})


class ResponseWay:
    """From a target's first byte to the last that the agent gets."""

    def __init__(self, crossing: Crossing, gate: Gate | None) -> None:
        self._crossing = crossing
        self._agent = crossing.agent
        self._incoming = crossing.incoming
        self._record = crossing.record
        self._gate = gate

    async def head(self, onward: Onward) -> ReceivedHead:
        """The head of the final response; interim ones are handed on. Raises `IngressError`."""
        upstream, response = self._crossing.stream(), self._crossing.response()
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
            self._crossing.check_agent()
            if not await self._agent.wakeup.wait(until):
                raise UpstreamTimeout(f"the target sent no response within {seconds:g} s")

    async def relay(self, onward: Onward, head: ReceivedHead) -> None:
        """Hand the response on and record it. Raises `IngressError`."""
        answered = self._answer_filter(onward, head)
        self._record.response_head(
            status=head.status,
            reason=head.reason,
            http_version=head.http_version,
            headers=head.headers,
            origin="upstream",
        )
        self._agent.reusable = self._crossing.will_keep()
        if answered is None:
            await self._pump(onward, head)
        else:
            await self._pump_screened(onward, _open_ended(head), answered)
        self._give_back(onward, head)

    async def _pump(self, onward: Onward, head: ReceivedHead) -> None:
        timeouts = onward.connection.timeouts
        upstream, response, agent = self._crossing.stream(), self._crossing.response(), self._agent
        chunked = head.length in {None, -1} and self._incoming.http_version == "1.1"
        self._crossing.close_delimited = head.length in {None, -1} and not chunked
        out = response_head(head.status, head.reason, self._response_fields(head, chunked=chunked))
        self._crossing.answering = True
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
        self._crossing.close_delimited, self._crossing.heard = not chunked, True
        out = [response_head(head.status, head.reason, self._response_fields(head, chunked=chunked))]

        def send(data: bytes) -> None:
            self._crossing.answering = True
            out.append(chunk(data) if chunked and data else data)
            agent.write(b"".join(out))
            out.clear()

        async def emit(data: bytes) -> None:
            if data:
                send(data)
                await agent.drain(onward.connection.timeouts.write)

        if self._gate is None:
            raise GatewayFault("a screen without a gate")
        client = Client(send, self._crossing.stay, lambda: agent.gone)
        with Screen(filter_, self._gate, self._record, client) as screen:
            if screen.streams:
                send(b"")
            await self._screen_body(onward, screen, onward.conceal_body(head.headers), emit)
        if screen.error is not None and not self._crossing.answering:
            raise screen.error
        self._crossing.ended = screen.error
        if chunked:
            out.append(last_chunk(self._trailers(onward.conceal(self._crossing.response().trailers))))
        agent.write(b"".join(out))
        self._crossing.answering = True
        await agent.drain(onward.connection.timeouts.write)

    async def _screen_body(
        self,
        onward: Onward,
        screen: Screen,
        concealment: BodyConcealment | None,
        emit: Callable[[bytes], Awaitable[None]],
    ) -> None:
        upstream, response, done = self._crossing.stream(), self._crossing.response(), False
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
        self._crossing.check_agent()
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
        clean = self._crossing.request_sent and self._crossing.ended is None
        onward.pool.release(self._crossing.stream(), idle=idle_seconds(head.headers), clean=clean)
        self._crossing.upstream = None


def _open_ended(head: ReceivedHead) -> ReceivedHead:
    """The head of a body whose length and digest may come to differ from what was announced."""
    kept = tuple(field for field in head.headers if field[0].lower() not in _OF_THE_BODY)
    return replace(head, headers=kept, length=None)


def _concealed(head: ReceivedHead, onward: Onward) -> ReceivedHead:
    headers = onward.conceal(head.headers)
    return head if headers is head.headers else replace(head, headers=headers)
