"""The payload: what was on the wire, as bytes, with the facts that frame it. It exists only encrypted.

Layout: 16 bytes salt | 4 bytes big-endian length of meta | meta (JSON) | body (raw bytes, as sent).
The header's `raw_commit` is SHA-256 over exactly these bytes; the salt keeps short bodies from being guessed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.heartbeat import BootCertificate, Heartbeat, Signature

__all__ = [
    "SALT_BYTES",
    "ApprovalMeta",
    "ApprovalNeeded",
    "BodyTotals",
    "ChunkMeta",
    "DecisionMeta",
    "ErrorCode",
    "ExchangeError",
    "HeaderField",
    "HeartbeatMeta",
    "Meta",
    "Payload",
    "PolicyDecision",
    "RequestContext",
    "RequestLine",
    "RequestMeta",
    "ResponseMeta",
    "ReviewerDecision",
    "SessionCloseMeta",
    "SessionOpenMeta",
    "Timing",
    "ToolDecision",
    "decode_payload",
    "encode_payload",
    "raw_commit",
]

SALT_BYTES = 16
_LENGTH = struct.Struct(">I")
MAX_META_BYTES = 1 << 20
"""Heads are limited to 64 KiB by the ingress; JSON escaping at worst multiplies that by six."""

HeaderField = tuple[str, str]
"""(name, value) as received, bytes read as ISO 8859-1 so that nothing is lost."""

ErrorCode = Literal[
    "upstream-refused",
    "upstream-unresolved",
    "upstream-tls",
    "upstream-timeout",
    "upstream-reset",
    "upstream-garbage",
    "client-gone",
    "client-timeout",
    "bad-request",
    "unauthenticated",
    "forbidden",
    "policy-denied",
    "approval-denied",
    "approval-timeout",
    "approval-unavailable",
    "unknown-connection",
    "credential-missing",
    "recorder-full",
    "gateway-error",
]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RequestLine(_Wire):
    """The request as an analyst names it: method, target exactly as sent, and where it went."""

    method: str
    target: str
    upstream: str


class RequestContext(_Wire):
    """The few facts of the request's body that its response repeats, so one document answers one question."""

    model: str | None = None
    stream: bool | None = None
    rpc_method: str | None = None
    rpc_id: str | None = None
    tool: str | None = None
    tool_use_id: str | None = None


class BodyTotals(_Wire):
    """The whole body of one direction: bytes, SHA-256 of them, and in how many `chunk` records they lie."""

    length: int
    sha256: str
    chunks: int = 0
    complete: bool = True


class Timing(_Wire):
    """The gateway's clock: `start` in Unix nanoseconds, the rest in microseconds after it."""

    start: int
    request_end: int | None = None
    first_byte: int | None = None
    end: int


class ExchangeError(_Wire):
    """Why an exchange did not end well, in our words; never the text of a foreign exception."""

    code: ErrorCode
    detail: str = ""


class PolicyDecision(_Wire):
    """What the policies said about a request, before anything of it was forwarded."""

    effect: Literal["allow", "deny", "approval"]
    policies: tuple[str, ...] = ()
    """`@id` of those that determined it; none where none matched."""
    reason: str = ""
    digest: str
    """SHA-256 of the policy set."""
    inputs: str
    """SHA-256 of exactly the inputs that the policies read."""
    micros: int
    """How long it took, reading the request included."""
    groups: tuple[str, ...] = ()
    """Groups of the principal at that time, sorted, the first 128 of them."""


class RequestMeta(_Wire):
    kind: Literal["request"] = "request"
    line: RequestLine
    http_version: str
    headers: tuple[HeaderField, ...]
    client: str
    context: RequestContext = RequestContext()
    body: BodyTotals
    credential: str | None = None
    """The injected credential's name (never its value), where one was injected."""
    decision: PolicyDecision | None = None
    """None where no policy is configured, and where the request was refused before it was judged."""
    injected: tuple[str, ...] | None = Field(default=None, repr=False)
    """The credential's value that this exchange injects, or would have: what must not show anywhere.

    Of Basic credentials also the password alone. It exists only here, sealed; no document has it.
    """


class ResponseMeta(_Wire):
    kind: Literal["response"] = "response"
    status: int
    reason: str = ""
    http_version: str
    headers: tuple[HeaderField, ...]
    trailers: tuple[HeaderField, ...] = ()
    origin: Literal["upstream", "gateway", "none"]
    """`gateway`: we answered; `none`: nobody did, status is 0."""
    request: RequestLine
    client: str | None = None
    """`ip:port` of the agent, as on the request; records from before it was repeated here have none."""
    context: RequestContext = RequestContext()
    body: BodyTotals
    timing: Timing
    error: ExchangeError | None = None


class ChunkMeta(_Wire):
    kind: Literal["chunk"] = "chunk"
    index: int
    offset: int
    sha256: str
    """Running SHA-256 over the body up to and including this chunk."""
    content_type: str | None = None
    content_encoding: str | None = None


class ApprovalNeeded(_Wire):
    """So many distinct reviewers of a group, because a policy asks for them."""

    group: str
    reviewers: int
    policy: str = ""


class ReviewerDecision(_Wire):
    """What one reviewer said, when (RFC 3339, the log's clock), and on the strength of what."""

    verdict: Literal["approve", "deny"]
    reviewer: str
    issuer: str | None = None
    groups: tuple[str, ...] = ()
    """Those of the groups that were asked which the reviewer is in."""
    via: Literal["console", "webhook", "local"]
    comment: str = ""
    at: str
    shown: str | None = None
    """SHA-256 of the masked document that the reviewer saw."""
    grant_minutes: int = 0


class ApprovalMeta(_Wire):
    """How the approval of one exchange came out, as its event log tells it."""

    id: str
    outcome: Literal["approved", "denied", "expired", "granted", "used"]
    """`granted`: by an approval from before that is still in force; `used`: another took this one first."""
    request_digest: str
    asked: str
    needs: tuple[ApprovalNeeded, ...]
    decisions: tuple[ReviewerDecision, ...] = ()
    waited_ms: int
    granted_until: str | None = None


class ToolDecision(_Wire):
    """A tool call in what a model answered, which the agent did not get as it came."""

    id: str
    """The call's own, as in the answer."""
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    replacement: str | None = None
    """The text that took its place; all else of the answer went on as it is recorded."""


class DecisionMeta(_Wire):
    kind: Literal["decision"] = "decision"
    decision: Literal["allow", "deny", "hold"]
    """`hold`: people were asked, and another record says what they said."""
    reason: str
    line: RequestLine
    approval: ApprovalMeta | None = None
    """Where people decided, or should have."""
    tool: ToolDecision | None = None
    """Where the decision is on a tool call in the answer, not on the request."""
    policy: PolicyDecision | None = None
    """What the policies said about the tool call."""


class SessionOpenMeta(_Wire):
    kind: Literal["session.open"] = "session.open"
    version: str
    config_digest: str
    basis: Literal["claimed", "trace", "principal", "boot"]
    """What the session was recognised by: the client's session id, its trace, or only who it is. `boot`: it
    is the gateway's own."""
    boot: BootCertificate | None = None
    """Of a boot's own strand: which key signs its heartbeats."""
    boot_note: str | None = None
    """The deployment's signature of it, a signed note."""


class SessionCloseMeta(_Wire):
    kind: Literal["session.close"] = "session.close"
    records: int
    reason: Literal["idle", "shutdown"]
    last: str | None = None
    """Hash of the header before; records from before it was said have none."""


class HeartbeatMeta(_Wire):
    kind: Literal["heartbeat"] = "heartbeat"
    heartbeat: Heartbeat
    signature: Signature
    """The boot's key over the heartbeat's canonical JSON (`schemas/heartbeat.py`)."""


Meta = Annotated[
    RequestMeta
    | ResponseMeta
    | ChunkMeta
    | DecisionMeta
    | SessionOpenMeta
    | SessionCloseMeta
    | HeartbeatMeta,
    Field(discriminator="kind"),
]
_META: TypeAdapter[Meta] = TypeAdapter(Meta)


@dataclass(frozen=True, slots=True)
class Payload:
    """One decoded payload. `repr` shows sizes only."""

    meta: Meta
    body: bytes

    def __repr__(self) -> str:
        return f"Payload(kind={self.meta.kind!r}, body=<{len(self.body)} bytes>)"


def encode_payload(meta: Meta | bytes, body: bytes, *, salt: bytes) -> bytes:
    """Frame meta and body behind a fresh random `salt` of 16 bytes.

    A meta in bytes is taken as it stands: that it is the JSON of a `Meta` is for its writer to see to.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt: expected {SALT_BYTES} bytes, got {len(salt)}")
    head = meta if isinstance(meta, bytes) else meta.model_dump_json(exclude_none=True).encode()
    if len(head) > MAX_META_BYTES:
        raise MalformedRecord(f"meta: expected at most {MAX_META_BYTES} bytes, got {len(head)}")
    return b"".join((salt, _LENGTH.pack(len(head)), head, body))


def decode_payload(data: bytes) -> Payload:
    """Take a payload apart; an error names the broken part and holds no byte of it."""
    start = SALT_BYTES + _LENGTH.size
    if len(data) < start:
        raise MalformedRecord(f"payload: expected at least {start} bytes, got {len(data)}")
    (length,) = _LENGTH.unpack_from(data, SALT_BYTES)
    if length > min(MAX_META_BYTES, len(data) - start):
        raise MalformedRecord(f"payload: meta of {length} bytes does not fit in {len(data)} bytes")
    try:
        meta = _META.validate_json(data[start : start + length])
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        raise MalformedRecord(f"payload meta breaks its schema at: {fields[:200]}") from None
    return Payload(meta=meta, body=data[start + length :])


def raw_commit(payload: bytes) -> str:
    """SHA-256(salt || raw bytes) as the header carries it."""
    return sha256_hex(payload)
