"""Everything that can go wrong with one exchange, named by whose fault it is.

IngressError
|-- AgentError              the agent must change something
|   |-- BadRequest          not HTTP as we take it; `status` says which kind of not
|   |   `-- Ambiguous        HTTP as we take it, but two readers could take it differently
|   |-- Unauthenticated     no identity, or one that we do not know
|   |-- Forbidden           a known identity that may not use this connection
|   |   |-- PolicyDenied     a policy forbids this request, or none permits it
|   |   |-- ApprovalDenied   a reviewer said no, or nobody may be asked
|   |   `-- ApprovalTimeout  nobody decided in time, which is a no
|   |-- UnknownConnection   neither path nor host names a registered connection
|   |-- ClientTimeout       the agent stopped sending in the middle of its request
|   `-- ClientGone          the agent left before its answer was complete
|-- TargetError             the target, or the way to it
|   |-- UpstreamRefused     it does not accept connections
|   |-- UpstreamUnresolved  its name has no address
|   |-- UpstreamTls         its certificate, or its TLS, is not what was configured
|   |-- UpstreamTimeout     it was silent for longer than the connection allows
|   |-- UpstreamReset       it went away in mid-exchange
|   `-- UpstreamGarbage     what it sent is not HTTP
|-- OperatorError           whoever runs the gateway must change something
|   |-- CredentialMissing   the connection's credential cannot be read
|   |-- SpoolBroken         the spool's disk fails, or its files are damaged
|   |-- KeysUnreadable      a key file is missing, malformed, or readable by others
|   |-- PoliciesUnusable    a policy file cannot be read, or its policies cannot be used
|   |-- RegistryUnusable    a registry that cannot be served by: the one before stays in force
|   |-- RegistryAway        nothing says which registry is in force
|   |-- ListenFailed        an address of the ingress cannot be listened on
|   |-- WorkersFailed       worker processes end as fast as they are started
|   `-- GatewayFault        a defect of ours
`-- Overload                nobody's fault; try again later
    |-- JudgementFull       too many bodies are held in memory for a decision
    |-- KeysAway            what wraps data keys does not answer, so no session can begin
    |-- RecorderFull        nothing can be recorded just now, so nothing is forwarded
    `-- TooManyConnections  `ingress.max_connections` is reached

`detail` is in our words and may be shown to the agent and recorded: no secret, no byte of a payload, no
text of a foreign exception. `code` is what the record carries, `status` what the agent is answered.
"""

from __future__ import annotations

from typing import ClassVar

from tachograph.schemas.payload import ErrorCode, ExchangeError

__all__ = [
    "AgentError",
    "Ambiguous",
    "ApprovalDenied",
    "ApprovalTimeout",
    "BadRequest",
    "ClientGone",
    "ClientTimeout",
    "CredentialMissing",
    "Forbidden",
    "GatewayFault",
    "IngressError",
    "JudgementFull",
    "KeysAway",
    "KeysUnreadable",
    "ListenFailed",
    "OperatorError",
    "Overload",
    "PoliciesUnusable",
    "PolicyDenied",
    "RecorderFull",
    "RegistryAway",
    "RegistryUnusable",
    "SpoolBroken",
    "TargetError",
    "TooManyConnections",
    "Unauthenticated",
    "UnknownConnection",
    "UpstreamGarbage",
    "UpstreamRefused",
    "UpstreamReset",
    "UpstreamTimeout",
    "UpstreamTls",
    "UpstreamUnresolved",
    "WorkersFailed",
]


class IngressError(Exception):
    """Base of every error that this room raises."""

    code: ClassVar[ErrorCode] = "gateway-error"
    status: int = 500

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def recorded(self) -> ExchangeError:
        """What the response record says about it."""
        return ExchangeError(code=self.code, detail=self.detail)


class AgentError(IngressError):
    """The agent must change something."""

    code: ClassVar[ErrorCode] = "bad-request"
    status = 400


class BadRequest(AgentError):
    """Not HTTP as we take it. `status` is 400 unless a narrower one says more: 413, 417, 431, 501, 505."""

    def __init__(self, detail: str = "", *, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


class Ambiguous(BadRequest):
    """HTTP as we take it, but two readers could take it differently; it has been read to its end."""


class Unauthenticated(AgentError):
    """No identity, or one that we do not know."""

    code: ClassVar[ErrorCode] = "unauthenticated"
    status = 401


class Forbidden(AgentError):
    """A known identity that may not use this connection."""

    code: ClassVar[ErrorCode] = "forbidden"
    status = 403


class PolicyDenied(Forbidden):
    """A policy forbids this request, or none permits it. `policies` are the `@id` of those that decided."""

    code: ClassVar[ErrorCode] = "policy-denied"

    def __init__(self, detail: str = "", *, policies: tuple[str, ...] = (), ask: str = "") -> None:
        super().__init__(detail)
        self.policies = policies
        self.ask = ask
        """Whom to ask, where the operator says so."""


class ApprovalDenied(Forbidden):
    """A reviewer said no, or nobody may be asked."""

    code: ClassVar[ErrorCode] = "approval-denied"


class ApprovalTimeout(Forbidden):
    """Nobody decided in time, which is a no."""

    code: ClassVar[ErrorCode] = "approval-timeout"


class UnknownConnection(AgentError):
    """Neither path nor host names a registered connection."""

    code: ClassVar[ErrorCode] = "unknown-connection"
    status = 404


class ClientTimeout(AgentError):
    """The agent stopped sending in the middle of its request."""

    code: ClassVar[ErrorCode] = "client-timeout"
    status = 408


class ClientGone(AgentError):
    """The agent left before its answer was complete. Nobody is there to be answered; 499 is for counting."""

    code: ClassVar[ErrorCode] = "client-gone"
    status = 499


class TargetError(IngressError):
    """The target, or the way to it."""

    code: ClassVar[ErrorCode] = "upstream-reset"
    status = 502


class UpstreamRefused(TargetError):
    """It does not accept connections."""

    code: ClassVar[ErrorCode] = "upstream-refused"


class UpstreamUnresolved(TargetError):
    """Its name has no address."""

    code: ClassVar[ErrorCode] = "upstream-unresolved"


class UpstreamTls(TargetError):
    """Its certificate, or its TLS, is not what was configured."""

    code: ClassVar[ErrorCode] = "upstream-tls"


class UpstreamTimeout(TargetError):
    """It was silent for longer than the connection allows."""

    code: ClassVar[ErrorCode] = "upstream-timeout"
    status = 504


class UpstreamReset(TargetError):
    """It went away in mid-exchange."""

    code: ClassVar[ErrorCode] = "upstream-reset"


class UpstreamGarbage(TargetError):
    """What it sent is not HTTP."""

    code: ClassVar[ErrorCode] = "upstream-garbage"


class OperatorError(IngressError):
    """Whoever runs the gateway must change something."""


class CredentialMissing(OperatorError):
    """The connection's credential cannot be read."""

    code: ClassVar[ErrorCode] = "credential-missing"
    status = 502


class SpoolBroken(OperatorError):
    """The spool's disk fails, or its files are damaged."""

    code: ClassVar[ErrorCode] = "recorder-full"
    status = 503


class KeysUnreadable(OperatorError):
    """A key file is missing, malformed, or readable by others."""


class PoliciesUnusable(OperatorError):
    """A policy file cannot be read, or its policies cannot be used."""


class RegistryUnusable(OperatorError):
    """A registry that this gateway cannot serve by, and all that is known to be wrong with it."""


class RegistryAway(OperatorError):
    """Nothing says which registry is in force: serving by an older one could permit what is forbidden."""


class ListenFailed(OperatorError):
    """An address of the ingress cannot be listened on."""


class WorkersFailed(OperatorError):
    """Worker processes end as fast as they are started."""


class GatewayFault(OperatorError):
    """A defect of ours; the log has the traceback, the agent has only this."""


class Overload(IngressError):
    """Nobody's fault; try again later."""

    code: ClassVar[ErrorCode] = "recorder-full"
    status = 503
    retry_after: int = 5
    """Seconds, for Retry-After."""


class JudgementFull(Overload):
    """Too many bodies are held in memory for a decision."""

    code: ClassVar[ErrorCode] = "gateway-error"


class KeysAway(Overload):
    """What wraps data keys does not answer or refuses: sessions that are open go on, none can begin."""


class RecorderFull(Overload):
    """Nothing can be recorded just now, so nothing is forwarded."""


class TooManyConnections(Overload):
    """`ingress.max_connections` is reached."""

    code: ClassVar[ErrorCode] = "gateway-error"
    retry_after = 1
