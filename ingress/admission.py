"""Whether a request may go on: what a decision may look at, what it says, and who decides.

`Judge` decides from what stands in the request (`ingress/policy` implements it); `Holder` waits for people
where the decision asks for them (`ingress/approval`). Neither forwards anything: the passage does, after the
decision is on record. What cannot be judged is denied, and the decision says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from tachograph.ingress.errors import ApprovalDenied
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal
from tachograph.schemas.payload import ApprovalMeta, HeaderField

__all__ = [
    "KEEPALIVE_SECONDS",
    "MAX_JUDGED_BODY",
    "ApprovalNeed",
    "Asked",
    "Decision",
    "Effect",
    "Holder",
    "Judge",
    "NoApprovals",
    "OnRecord",
    "ToolUse",
]

MAX_JUDGED_BODY = 4 << 20
"""The longest body in bytes that a decision may look at, in memory while it does; a longer one gets 413."""
KEEPALIVE_SECONDS = 15.0
"""How often a client that waits for an approval hears `100 Continue`, a few times (HTTP/1.1 only)."""


class Effect(StrEnum):
    """What follows from a decision."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a decision may look at. Its repr shows names and sizes only."""

    exchange: UUID
    session: UUID
    connection: Connection
    principal: Principal
    groups: frozenset[str]
    """Groups of the principal, as its issuer or its key says."""
    actors: tuple[str, ...]
    """Who acts for the principal, nearest first (RFC 8693 `act`)."""
    method: str
    target: str
    """As sent, without `/c/<connection>`."""
    headers: tuple[HeaderField, ...]
    """Without gateway credentials."""
    client: str
    """`ip:port`"""
    started_ns: int
    """Unix time of the request's first byte, in nanoseconds."""
    body: bytes | None
    """The whole body where it was read for the decision, else None."""

    def __repr__(self) -> str:
        size = "unread" if self.body is None else f"<{len(self.body)} bytes>"
        return (
            f"Asked(exchange={str(self.exchange)!r}, connection={self.connection.name!r}, "
            f"principal={self.principal.id!r}, method={self.method!r}, body={size})"
        )


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call in what a model answered. Its repr shows no arguments."""

    tool: str
    arguments: bytes = field(repr=False)
    """JSON text, as the model wrote it."""
    model: str | None = None
    """Which model answered, as the answer says."""


@dataclass(frozen=True, slots=True)
class ApprovalNeed:
    """People that one matching policy asks for."""

    group: str
    """Reviewers are members of it."""
    minutes: int
    """How long the request waits before it is denied."""
    reviewers: int
    """How many distinct people must approve."""
    reason: str
    policy: str
    """The `@id` of the policy that asks."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by which policies, from which inputs."""

    effect: Effect
    policies: tuple[str, ...]
    """`@id` of the policies that determined it; empty where none matched."""
    reason: str
    """In words that the agent may read; nothing of the request's content is in it."""
    digest: str
    """SHA-256 of the policy set; empty where no policy is configured."""
    inputs: str
    """SHA-256 of exactly the inputs that the policies read."""
    micros: int
    """How long it took."""
    needs: tuple[ApprovalNeed, ...] = ()
    """All of them are needed; only where the effect is `APPROVAL`."""
    malformed: bool = False
    """Denied because the request cannot be read without doubt: 400, not 403."""


class Judge(Protocol):
    """Decides. One immutable object: a reload swaps it, exchanges under way keep the one they began with."""

    def reads_body(self, connection: Connection) -> bool:
        """Whether a decision on this connection may depend on the request's body."""
        ...

    def decide(self, asked: Asked) -> Decision:
        """Never raises: what goes wrong is a deny that says so."""
        ...

    def reads_tools(self, connection: Connection) -> bool:
        """Whether tool calls in the answers of this connection are judged."""
        ...

    def decide_tool(self, asked: Asked, use: ToolUse) -> Decision:
        """On a tool call in the answer to `asked`. Never raises."""
        ...


class OnRecord(Protocol):
    """What waits for people: a request, or a tool call, that is on record already."""

    @property
    def request_uid(self) -> UUID | None:
        """Of the record whose masked document the reviewers see."""
        ...

    async def decided(
        self, decision: Literal["allow", "deny"], *, reason: str, approval: ApprovalMeta
    ) -> None:
        """Record what people decided; durable when it returns. Raises `RecorderFull`."""
        ...


class Holder(Protocol):
    """Waits until people have decided."""

    async def hold(
        self,
        asked: Asked,
        decision: Decision,
        record: OnRecord,
        *,
        alive: Callable[[], None],
        gone: Callable[[], bool],
    ) -> None:
        """Return when the request is granted and claimed by this exchange.

        `alive` is to be called every `KEEPALIVE_SECONDS`; `gone` says that the client left. Raises
        `ApprovalDenied`, `ApprovalTimeout`, `ClientGone` or an `Overload`.
        """
        ...


class NoApprovals:
    """A `Holder` where nobody can be asked."""

    async def hold(
        self,
        asked: Asked,  # noqa: ARG002 - the protocol's signature
        decision: Decision,
        record: OnRecord,  # noqa: ARG002 - the protocol's signature
        *,
        alive: Callable[[], None],  # noqa: ARG002 - the protocol's signature
        gone: Callable[[], bool],  # noqa: ARG002 - the protocol's signature
    ) -> None:
        """Raises `ApprovalDenied`."""
        asks = ", ".join(f"`{need.policy}`" for need in decision.needs)
        raise ApprovalDenied(f"policy {asks} asks for an approval, and approvals are not configured here")
