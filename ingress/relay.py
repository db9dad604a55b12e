"""What happens to a request: route, identity, permission, record; only then is anything forwarded.

Every request that can be parsed is on record with who sent it as far as it is known, refused ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tachograph.ingress.admission import Asked, Holder, Judge
from tachograph.ingress.credentials import NO_CREDENTIAL, CredentialStore, Taken, uncompressed
from tachograph.ingress.crossing import Onward
from tachograph.ingress.errors import BadRequest, Forbidden, GatewayFault, IngressError, UnknownConnection
from tachograph.ingress.faults import log_fault
from tachograph.ingress.gate import Counted, Gate, Waiting
from tachograph.ingress.http.agent import AgentConnection
from tachograph.ingress.http.fields import end_to_end
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.serialize import response_head
from tachograph.ingress.identity.authenticator import ANONYMOUS, Authenticated, Authenticator
from tachograph.ingress.identity.presented import scrubbed
from tachograph.ingress.passage import Passage
from tachograph.ingress.recording.recorder import ExchangeRecord, Recorder, RequestHead
from tachograph.ingress.refusals import refuse
from tachograph.ingress.routing import Route, Routes
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import PrincipalKind, Protocol

__all__ = ["Registered", "Relay"]

_OURS = frozenset({"host", "expect", "x-tacho-session", "x-tacho-agent", "x-tacho-parent"})
"""End-to-end fields that the gateway writes or consumes itself."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    who: Authenticated
    error: IngressError | None = None


@dataclass(frozen=True, slots=True)
class _Exchange:
    """An identified request for a connection that takes it."""

    agent: AgentConnection
    incoming: IncomingRequest
    connection: Connection
    target: str
    who: Authenticated
    taken: Taken


@dataclass(frozen=True, slots=True)
class Registered:
    """All that is made from connections and policies, to be swapped as one.

    An exchange keeps the one that it began with.
    """

    routes: Routes
    pools: Mapping[str, UpstreamPool]
    credentials: CredentialStore
    judge: Judge | None
    """None where no policy is configured: then the connections' `allow` decides alone."""
    contact: str = ""
    """Whom an agent that a policy refuses may ask."""
    registry: str | None = None
    """How the digest of the registry begins that all this is made of; every record names it."""

    def spoken(self, route: Route) -> tuple[Protocol | None, str]:
        """What protocol a request speaks, and its target as the upstream would get it."""
        if route.connection is None:
            return None, route.target
        return route.connection.protocol, self.pools[route.connection.name].target.path(route.target)

    def onward(self, exchange: _Exchange) -> Onward:
        """The request as the target gets it. Raises `BadRequest` and `CredentialMissing`."""
        connection, incoming = exchange.connection, exchange.incoming
        pool = self.pools[connection.name]
        if pool.target.escapes(exchange.target):
            raise BadRequest("expected a path below the connection's own, got one with `..`")
        fields = end_to_end(exchange.who.forward, incoming.control)
        kept = tuple(field for field in fields if field[0].lower() not in _OURS)
        if self.judge is not None and self.judge.reads_tools(connection):
            kept = uncompressed(kept)
        target, headers = self.credentials.inject(connection, exchange.target, kept, exchange.taken)
        framing = (("Transfer-Encoding", "chunked"),) if incoming.length == -1 else ()
        return Onward(
            connection=connection,
            pool=pool,
            target=pool.target.path(target),
            headers=(("Host", pool.target.authority), *headers, *framing),
            conceal=lambda answered: self.credentials.conceal(connection, answered),
            conceal_body=lambda answered: self.credentials.conceal_body(connection, answered),
        )


class Relay:
    """The handler of every agent connection of one worker."""

    def __init__(
        self,
        registered: Registered,
        *,
        authenticator: Authenticator,
        holder: Holder,
        recorder: Recorder,
        clock_ns: Callable[[], int],
        on_decided: Counted = lambda *_: None,
    ) -> None:
        self.registered = registered
        self._authenticator = authenticator
        self._holder = holder
        self._recorder = recorder
        self._clock_ns = clock_ns
        self._on_decided = on_decided
        self._waiting = Waiting()

    async def handle(self, agent: AgentConnection, incoming: IncomingRequest) -> None:
        """One exchange, to its end."""
        started, registered = self._clock_ns(), self.registered
        route = registered.routes.find(incoming.target, incoming.host)
        verdict = await self._judge(agent, incoming, route)
        taken = _taken(registered, route, verdict)
        try:
            record = await self._open(
                agent,
                incoming,
                route=route,
                verdict=verdict,
                started=(started, registered.registry),
                injected=taken.spelled,
            )
        except Exception as error:  # noqa: BLE001 - what cannot be recorded is refused, whatever the reason
            _answer_unrecorded(agent, incoming, spoken=registered.spoken(route), error=_known(error))
            return
        connection = route.connection
        protocol, target = registered.spoken(route)
        passage = Passage(agent, incoming, record, protocol=protocol, target=target)
        if verdict.error is not None or connection is None:
            await passage.refuse(verdict.error or UnknownConnection())
            return
        exchange = _Exchange(agent, incoming, connection, route.target, verdict.who, taken)
        await passage.run(
            lambda: registered.onward(exchange), self._gate(registered, exchange, record, started)
        )

    def _gate(
        self, registered: Registered, exchange: _Exchange, record: ExchangeRecord, started: int
    ) -> Gate | None:
        if registered.judge is None:
            return None
        connection, who, incoming = exchange.connection, exchange.who, exchange.incoming
        asked = Asked(
            exchange=record.exchange,
            session=record.session,
            connection=connection,
            principal=who.principal,
            groups=who.groups,
            actors=who.actors,
            method=incoming.method,
            target=exchange.target,
            headers=who.forward,
            client=exchange.agent.peer,
            started_ns=started,
            body=None,
        )
        ask = connection.labels.get("owner") or registered.contact
        return Gate(
            registered.judge,
            self._holder,
            self._waiting,
            asked,
            ask,
            counted=self._on_decided,
            still=who.still,
        )

    async def _judge(self, agent: AgentConnection, incoming: IncomingRequest, route: Route) -> _Verdict:
        connection = route.connection
        unknown = UnknownConnection("no connection has this path or host") if connection is None else None
        if incoming.fault is not None:
            return self._stranger(incoming, incoming.fault)
        try:
            who = await self._authenticator.authenticate(incoming.headers, agent.certificate)
        except Exception as error:  # noqa: BLE001 - who cannot be verified is not let in, whatever the reason
            return self._stranger(incoming, unknown or _known(error))
        if connection is not None and not _permits(connection, who):
            detail = f"{who.principal.id} may not use the connection {connection.name}"
            return _Verdict(who, Forbidden(detail))
        if connection is not None and scrubbed(route.target) != route.target:
            detail = "a gateway key stands in the URL, where targets log it: send it as x-tacho-key"
            return _Verdict(who, BadRequest(detail))
        return _Verdict(who, unknown)

    def _stranger(self, incoming: IncomingRequest, error: IngressError) -> _Verdict:
        recorded = self._authenticator.redact(incoming.headers)
        return _Verdict(Authenticated(ANONYMOUS, (), recorded), error)

    async def _open(
        self,
        agent: AgentConnection,
        incoming: IncomingRequest,
        *,
        route: Route,
        verdict: _Verdict,
        started: tuple[int, str | None],
        injected: tuple[str, ...],
    ) -> ExchangeRecord:
        return await self._recorder.open(
            connection=route.connection,
            principal=verdict.who.principal,
            head=RequestHead(
                method=incoming.method,
                target=scrubbed(route.target),
                http_version=incoming.http_version,
                headers=verdict.who.recorded,
                client=agent.peer,
            ),
            upstream=route.connection.upstream if route.connection else "",
            started_ns=started[0],
            registry=started[1],
            injected=injected,
        )


def _taken(registered: Registered, route: Route, verdict: _Verdict) -> Taken:
    """What will be injected, if the request may go: recorded with it, so it is taken before."""
    if verdict.error is not None or route.connection is None:
        return NO_CREDENTIAL
    return registered.credentials.take(route.connection)


def _known(error: Exception) -> IngressError:
    if isinstance(error, IngressError):
        return error
    log_fault("admission_failed", error)
    return GatewayFault("a defect of the gateway; its log says where")


def _permits(connection: Connection, who: Authenticated) -> bool:
    if who.principal.kind is PrincipalKind.ANONYMOUS:
        return False
    if who.connections is not None and connection.name not in who.connections:  # the key's own scope
        return False
    return "*" in connection.allow or who.principal.id in connection.allow


def _answer_unrecorded(
    agent: AgentConnection,
    incoming: IncomingRequest,
    *,
    spoken: tuple[Protocol | None, str],
    error: IngressError,
) -> None:
    agent.reusable = incoming.keep_alive and incoming.body.complete
    incoming.body.discard()
    protocol, target = spoken
    refusal = refuse(error, protocol=protocol, target=target)
    closing = () if agent.reusable else (("Connection", "close"),)
    body = b"" if incoming.method == "HEAD" else refusal.body
    agent.write(response_head(refusal.status, refusal.reason, (*refusal.headers, *closing)) + body)
