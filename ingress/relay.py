"""What happens to a request: route, identity, permission, record; only then is anything forwarded.

Every request that can be parsed is on record with who sent it as far as it is known, refused ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.errors import BadRequest, Forbidden, GatewayFault, IngressError, UnknownConnection
from tachograph.ingress.faults import log_fault
from tachograph.ingress.http.agent import AgentConnection
from tachograph.ingress.http.fields import end_to_end
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.serialize import response_head
from tachograph.ingress.identity.authenticator import ANONYMOUS, Authenticator
from tachograph.ingress.identity.presented import scrubbed
from tachograph.ingress.passage import Onward, Passage
from tachograph.ingress.recording.recorder import ExchangeRecord, Recorder, RequestHead
from tachograph.ingress.refusals import refuse
from tachograph.ingress.routing import Route, Routes
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.payload import HeaderField

__all__ = ["Relay"]

_OURS = frozenset({"host", "expect", "x-tacho-session", "x-tacho-agent", "x-tacho-parent"})
"""End-to-end fields that the gateway writes or consumes itself."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    principal: Principal
    forward: tuple[HeaderField, ...]
    recorded: tuple[HeaderField, ...]
    error: IngressError | None = None


class Relay:
    """The handler of every agent connection of one worker."""

    def __init__(
        self,
        *,
        routes: Routes,
        pools: Mapping[str, UpstreamPool],
        authenticator: Authenticator,
        credentials: CredentialStore,
        recorder: Recorder,
        clock_ns: Callable[[], int],
    ) -> None:
        self._routes = routes
        self._pools = pools
        self._authenticator = authenticator
        self._credentials = credentials
        self._recorder = recorder
        self._clock_ns = clock_ns

    async def handle(self, agent: AgentConnection, incoming: IncomingRequest) -> None:
        """One exchange, to its end."""
        started = self._clock_ns()
        route = self._routes.find(incoming.target, incoming.host)
        verdict = await self._judge(incoming, route)
        try:
            record = await self._open(agent, incoming, route=route, verdict=verdict, started=started)
        except Exception as error:  # noqa: BLE001 - what cannot be recorded is refused, whatever the reason
            _answer_unrecorded(agent, incoming, route=route, error=_known(error))
            return
        connection = route.connection
        passage = Passage(agent, incoming, record, protocol=connection.protocol if connection else None)
        if verdict.error is not None or connection is None:
            await passage.refuse(verdict.error or UnknownConnection())
            return
        await passage.run(
            lambda: self._onward(incoming, connection, target=route.target, forward=verdict.forward)
        )

    async def _judge(self, incoming: IncomingRequest, route: Route) -> _Verdict:
        connection = route.connection
        unknown = UnknownConnection("no connection has this path or host") if connection is None else None
        if incoming.fault is not None:
            return self._stranger(incoming, incoming.fault)
        try:
            who = await self._authenticator.authenticate(incoming.headers)
        except Exception as error:  # noqa: BLE001 - who cannot be verified is not let in, whatever the reason
            return self._stranger(incoming, unknown or _known(error))
        if connection is not None and not _permits(connection, who.principal):
            detail = f"{who.principal.id} may not use the connection {connection.name}"
            return _Verdict(who.principal, who.forward, who.recorded, Forbidden(detail))
        if connection is not None and scrubbed(route.target) != route.target:
            detail = "a gateway key stands in the URL, where targets log it: send it as x-tacho-key"
            return _Verdict(who.principal, who.forward, who.recorded, BadRequest(detail))
        return _Verdict(who.principal, who.forward, who.recorded, unknown)

    def _stranger(self, incoming: IncomingRequest, error: IngressError) -> _Verdict:
        return _Verdict(ANONYMOUS, (), self._authenticator.redact(incoming.headers), error)

    async def _open(
        self,
        agent: AgentConnection,
        incoming: IncomingRequest,
        *,
        route: Route,
        verdict: _Verdict,
        started: int,
    ) -> ExchangeRecord:
        return await self._recorder.open(
            connection=route.connection,
            principal=verdict.principal,
            head=RequestHead(
                method=incoming.method,
                target=scrubbed(route.target),
                http_version=incoming.http_version,
                headers=verdict.recorded,
                client=agent.peer,
            ),
            upstream=route.connection.upstream if route.connection else "",
            started_ns=started,
        )

    def _onward(
        self,
        incoming: IncomingRequest,
        connection: Connection,
        *,
        target: str,
        forward: tuple[HeaderField, ...],
    ) -> Onward:
        pool = self._pools[connection.name]
        if pool.target.escapes(target):
            raise BadRequest("expected a path below the connection's own, got one with `..`")
        kept = tuple(
            field for field in end_to_end(forward, incoming.control) if field[0].lower() not in _OURS
        )
        target, headers = self._credentials.inject(connection, target, kept)
        framing = (("Transfer-Encoding", "chunked"),) if incoming.length == -1 else ()
        return Onward(
            connection=connection,
            pool=pool,
            target=pool.target.path(target),
            headers=(("Host", pool.target.authority), *headers, *framing),
            conceal=lambda fields: self._credentials.conceal(connection, fields),
        )


def _known(error: Exception) -> IngressError:
    if isinstance(error, IngressError):
        return error
    log_fault("admission_failed", error)
    return GatewayFault("a defect of the gateway; its log says where")


def _permits(connection: Connection, principal: Principal) -> bool:
    return principal.kind is not PrincipalKind.ANONYMOUS and (
        "*" in connection.allow or principal.id in connection.allow
    )


def _answer_unrecorded(
    agent: AgentConnection, incoming: IncomingRequest, *, route: Route, error: IngressError
) -> None:
    agent.reusable = incoming.keep_alive and incoming.body.complete
    incoming.body.discard()
    protocol = route.connection.protocol if route.connection else None
    refusal = refuse(error, protocol=protocol, target=incoming.target)
    closing = () if agent.reusable else (("Connection", "close"),)
    body = b"" if incoming.method == "HEAD" else refusal.body
    agent.write(response_head(refusal.status, refusal.reason, (*refusal.headers, *closing)) + body)
