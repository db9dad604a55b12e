"""The way of one exchange: its request is recorded, then forwarded; its answer forwarded, then recorded.

A single coroutine polls both sides and sleeps on one wake-up. It ends in exactly one of: answered in full,
refused in the protocol's own shape, or cut so that nobody takes the rest for the whole; and always in
exactly one `end` of the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tachograph.ingress.crossing import Crossing, Onward
from tachograph.ingress.errors import (
    Ambiguous,
    BadRequest,
    ClientGone,
    ClientTimeout,
    GatewayFault,
    IngressError,
    UpstreamReset,
)
from tachograph.ingress.faults import log_fault
from tachograph.ingress.gate import Gate
from tachograph.ingress.http.agent import AgentConnection
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.serialize import response_head
from tachograph.ingress.recording.recorder import ExchangeRecord
from tachograph.ingress.refusals import refuse, rpc_id
from tachograph.ingress.request_way import RequestWay
from tachograph.ingress.response_way import ResponseWay
from tachograph.schemas.event import Protocol

__all__ = ["Passage"]


class Passage:
    """From the first byte of a body to the last byte of an answer."""

    def __init__(
        self,
        agent: AgentConnection,
        incoming: IncomingRequest,
        record: ExchangeRecord,
        *,
        protocol: Protocol | None,
        target: str,
    ) -> None:
        """`target` is what the upstream would get: a refusal is in the shape of the API that was meant."""
        self._crossing = Crossing(agent, incoming, record)
        self._agent = agent
        self._incoming = incoming
        self._record = record
        self._protocol = protocol
        self._target = target
        self._request = RequestWay(self._crossing)

    async def run(self, way: Callable[[], Onward], gate: Gate | None = None) -> None:
        """Forward the request, if its gate lets it pass, and relay its response.

        `way` is asked last, once the request may go. Raises nothing but cancellation.
        """
        try:
            if gate is None:
                onward = way()
                await self._request.forward(onward)
            else:
                onward = await self._request.judged(gate, way)
            await self._relay(onward, ResponseWay(self._crossing, gate))
        except IngressError as error:
            await self._fail(error)
        except asyncio.CancelledError:
            await self._fail(GatewayFault("the gateway was stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the exchange ends on record
            log_fault("exchange_failed", error)
            await self._fail(GatewayFault("a defect of the gateway; its log says where"))
        else:
            ended = self._crossing.ended
            self._record.end(error=ended.recorded() if ended else None, complete=ended is None)

    async def refuse(self, error: IngressError) -> None:
        """Answer without forwarding anything; the record holds the head and our answer."""
        await self._fail(error)

    async def _relay(self, onward: Onward, response: ResponseWay) -> None:
        try:
            head = await response.head(onward)
        except UpstreamReset:
            if not await self._request.repeat(onward):
                raise
            head = await response.head(onward)
        await response.relay(onward, head)

    async def _fail(self, error: IngressError) -> None:
        cut = (
            self._crossing.heard
            and self._crossing.upstream is not None
            and not self._crossing.response().body.exhausted
        )
        if self._crossing.upstream is not None:
            self._crossing.upstream.close()
            self._crossing.upstream = None
        await self._request.close()
        if self._agent.gone or self._crossing.answering or isinstance(error, ClientGone):
            self._agent.cut(reset=self._crossing.close_delimited or isinstance(error, ClientTimeout))
            self._record.end(error=error.recorded(), complete=False)
            return
        self._answer(error)
        self._record.end(error=error.recorded(), complete=not cut)

    def _answer(self, error: IngressError) -> None:
        self._incoming.body.discard()
        self._agent.reusable = self._crossing.will_keep() and (
            not isinstance(error, BadRequest) or isinstance(error, Ambiguous)
        )
        refusal = refuse(
            error,
            protocol=self._protocol,
            target=self._target,
            exchange=self._record.exchange,
            rpc=rpc_id(self._request.first_piece) if self._protocol is Protocol.MCP else None,
        )
        closing = () if self._agent.reusable else (("Connection", "close"),)
        body = b"" if self._incoming.method == "HEAD" else refusal.body
        self._agent.write(response_head(refusal.status, refusal.reason, (*refusal.headers, *closing)) + body)
        if self._crossing.heard:
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
