"""What the two ways of one exchange share: both ends, the record, and how far each side has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tachograph.ingress.concealment import BodyConcealment
from tachograph.ingress.errors import ClientGone, GatewayFault, IngressError
from tachograph.ingress.http.agent import AgentConnection
from tachograph.ingress.http.requests import IncomingRequest
from tachograph.ingress.http.responses import ResponseParser
from tachograph.ingress.http.serialize import CONTINUE
from tachograph.ingress.recording.recorder import ExchangeRecord
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.schemas.connection import Connection
from tachograph.schemas.payload import HeaderField

__all__ = ["Crossing", "Onward"]


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


@dataclass(slots=True, eq=False)
class Crossing:
    """One exchange between its two ends."""

    agent: AgentConnection
    incoming: IncomingRequest
    record: ExchangeRecord
    upstream: UpstreamConnection | None = None
    request_sent: bool = False
    answering: bool = False
    """Something of an answer may have reached the agent, so no other can take its place."""
    heard: bool = False
    """The target's own answer is on record, so ours in its place is not."""
    close_delimited: bool = False
    """Only the connection's end says where the answer ends (RFC 9112, 6.3)."""
    ended: IngressError | None = None
    """Why the answer was ended in its own protocol before its end."""

    def answered(self) -> bool:
        """Whether the target has answered, or has gone, before the whole request was sent."""
        upstream = self.upstream
        if upstream is None or upstream.response is None:
            return False
        return upstream.response.head is not None or upstream.trouble is not None

    def check_agent(self) -> None:
        """Raises `ClientGone`."""
        if self.agent.gone:
            raise ClientGone("the client left before the exchange was complete")

    def stream(self) -> UpstreamConnection:
        if self.upstream is None:
            raise GatewayFault("no upstream connection")
        return self.upstream

    def response(self) -> ResponseParser:
        response = self.stream().response
        if response is None:
            raise GatewayFault("no exchange on the upstream connection")
        return response

    def will_keep(self) -> bool:
        """Whether the agent's connection outlives this exchange."""
        return self.incoming.keep_alive and self.incoming.body.complete and not self.agent.draining

    def stay(self) -> None:
        """Tell a client that waits for people that we are still here (RFC 9110, 15.2.1).

        `102 Processing` says it better, and Python's own http.client takes it for the answer.
        """
        if self.incoming.http_version == "1.1":
            self.agent.write(CONTINUE)
