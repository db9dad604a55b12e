"""What OCSF has no place for: the object `unmapped.tacho` of a masked event.

It carries the capture header verbatim (its canonical JSON hashes to the attestation's fingerprint) and
everything of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tachograph.schemas.access import Access
from tachograph.schemas.commitments import Removed, RemovedMore, Salt
from tachograph.schemas.deletion import Statement
from tachograph.schemas.event import Agent, Hex64, Name, Principal, Timestamp, Trace
from tachograph.schemas.heartbeat import BootCertificate, Heartbeat, Signature
from tachograph.schemas.masked_objects import HttpHeader, Long, Strict, Uuid

__all__ = [
    "ApprovalAsked",
    "ApprovalSaid",
    "ChunkPlace",
    "Conversation",
    "DocumentType",
    "Failure",
    "Masked",
    "Message",
    "PartPlace",
    "PolicySaid",
    "Reviewed",
    "RpcError",
    "Tacho",
    "ToolCall",
    "Unmapped",
    "Usage",
    "WireBody",
    "WireTiming",
]

DocumentType = Literal[
    "session.open",
    "request",
    "chunk",
    "response",
    "decision",
    "session.close",
    "heartbeat",
    "message",
    "access",
    "part",
    "erasure",
    "retention.expired",
]


class Conversation(Strict):
    """One LLM request's place in a conversation; hashes are of the normalised prefix of its messages."""

    head: Hex64
    previous: Hex64 | None = None
    """The head of the request before, if nothing was compacted: no request with that head is a break."""
    count: Long
    messages_new: Long
    """How many messages stand after the last one of the assistant: the trailing new turn."""


class ToolCall(Strict):
    id: str
    name: str


class Usage(Strict):
    """Tokens; input counts neither what was read from nor what was written to the cache."""

    input_tokens: Long | None = None
    output_tokens: Long | None = None
    cache_read_tokens: Long | None = None
    cache_write_tokens: Long | None = None


class Masked(Strict):
    """What masking replaced: how many values, by which rules."""

    total: Long
    rules: Annotated[tuple[str, ...], Field(strict=False)]
    counts: dict[str, Long]


class WireBody(Strict):
    """The whole body as it was on the wire, before decoding; without its hash where that tells a secret."""

    length: Long
    sha256: str | None = None
    chunks: Long
    complete: bool


class WireTiming(Strict):
    """Unix nanoseconds, then microseconds after it."""

    start: Long
    request_end: Long | None = None
    first_byte: Long | None = None
    end: Long


class Failure(Strict):
    """Why an exchange did not end well, by our code."""

    code: str
    detail: str


class ChunkPlace(Strict):
    """Where a slice stands in its body. `text_in` says that its text is stored elsewhere, and where."""

    index: Long
    offset: Long
    sha256: str | None = None
    text_in: Literal["messages"] | None = None


class PartPlace(Strict):
    """A further slice of a document's body that did not fit into it."""

    of: Uuid
    index: Long
    count: Long


class Message(Strict):
    """One message of a conversation, stored once."""

    hash: Hex64
    parent: Hex64
    index: Long
    role: str


class RpcError(Strict):
    code: int | None = None
    message: str


class PolicySaid(Strict):
    """What the policies said about a request before it was forwarded, if it was."""

    effect: Literal["allow", "deny", "approval"]
    ids: Annotated[tuple[str, ...], Field(strict=False)]
    """`@id` of the policies that determined it; none where none matched."""
    reason: str
    digest: str
    """Digest of the policy set."""
    micros: Long
    """How long the decision took."""
    groups: Annotated[tuple[str, ...], Field(strict=False)]
    """Groups of the principal at that time."""


class ApprovalAsked(Strict):
    """So many distinct reviewers of a group, because a policy asks for them."""

    group: str
    reviewers: Long
    policy: str


class Reviewed(Strict):
    """What one reviewer said. `at` is the approvals log's own time."""

    verdict: Literal["approve", "deny"]
    reviewer: str
    issuer: str | None = None
    groups: Annotated[tuple[str, ...], Field(strict=False)]
    via: Literal["console", "webhook", "local"]
    """`local` is whoever could read the approvals key."""
    comment: str | None = None
    """Masked."""
    at: Timestamp
    shown: str | None = None
    """SHA-256 of the masked document that the reviewer saw, as it is stored."""
    grant_minutes: Long


class ApprovalSaid(Strict):
    """How the approval of one exchange came out."""

    id: str
    outcome: Literal["approved", "denied", "expired", "granted", "used"]
    """`granted`: by an earlier approval that is in force; `used`: another exchange took this one first."""
    request_digest: str
    """Keyed digest of the request; a decision is for this one only."""
    asked: Timestamp
    waited_ms: Long
    granted_until: Timestamp | None = None
    needs: Annotated[tuple[ApprovalAsked, ...], Field(strict=False)]
    decisions: Annotated[tuple[Reviewed, ...], Field(strict=False)]


class Tacho(Strict):
    """Our own facts. The first block is the capture header, verbatim; `message` documents have no header."""

    v: Literal[1]
    uid: Uuid
    type: DocumentType
    session: Uuid
    ts: Timestamp | None = None
    epoch: Uuid | None = None
    seq: Long | None = None
    prev: Hex64 | None = None
    exchange: Uuid | None = None
    connection: Name | None = None
    protocol: Literal["http", "llm", "mcp"] | None = None
    direction: Literal["request", "response", "none"] | None = None
    principal: Annotated[Principal, Field(strict=False)] | None = None
    agent: Agent | None = None
    trace: Trace | None = None
    raw_commit: Hex64 | None = None
    raw_len: Long | None = None
    registry: str | None = None
    incomplete: bool | None = None

    salt: Salt | None = None
    """Makes a hash of this document say nothing to those who do not have it."""
    removed: Annotated[tuple[Removed, ...], Field(strict=False)] | None = None
    """A salted commitment to each value that masking took out."""
    removed_more: RemovedMore | None = None
    """Where there are more of them than `removed` holds: a commitment to all."""
    ruleset: str | None = None
    """Digest of the masking rules that this record went through."""
    masked: Masked | None = None
    """What masking replaced."""
    withheld: str | None = None
    """Why masking let no body through."""
    enrichment_error: str | None = None
    """What the body was expected to be and is not; it is kept as text all the same."""

    body: str | None = None
    """The masked, decoded body as text: its head where it is long, without the messages of an LLM request;
    of a `message` the canonical JSON that its hash is of."""
    body_len: Long | None = None
    """Bytes of the decoded body, before the messages of an LLM request were taken out."""
    body_parts: Long | None = None
    """How many documents of type `part` (or `message`) hold what follows this body's head."""
    truncated: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Names of the fields of this document that are not whole. A short text that was cut ends in `…[cut]`."""
    wire_body: WireBody | None = None
    """The body as it was on the wire, before decoding."""
    timing: WireTiming | None = None
    """The gateway's clock, to the microsecond."""
    origin: Literal["upstream", "gateway", "none"] | None = None
    """Who answered: the target, the gateway in its place, or nobody."""
    credential: str | None = None
    """Name of the credential that the gateway injected, never its value."""
    policy: PolicySaid | None = None
    """The decision of the policies on this request, or on this tool call."""
    trailers: Annotated[tuple[HttpHeader, ...], Field(strict=False)] | None = None
    """Trailer fields of a chunked answer."""
    method: str | None = None
    """The HTTP method as it was sent; OCSF's own field takes only methods that it numbers."""
    error: Failure | None = None
    """Why the exchange did not end well."""
    chunk: ChunkPlace | None = None
    """Where this slice stands in its body."""
    part: PartPlace | None = None
    """Whose body this document continues."""
    message: Message | None = None
    """Which message of its conversation this is."""

    stream: bool | None = None
    """Whether the answer is, or was asked to be, a stream of events."""
    stop_reason: str | None = None
    """Why the model stopped, in its API's own word."""
    usage: Usage | None = None
    """Tokens of an answer."""
    cost_usd: Annotated[float, Field(ge=0)] | None = None
    """Tokens at list price in US dollars; absent where the price is not known."""
    price_from: str | None = None
    """The date since which the price holds that `cost_usd` was counted with."""
    conversation: Conversation | None = None
    """Where an LLM request stands in its conversation."""
    tool_calls: Annotated[tuple[ToolCall, ...], Field(strict=False)] | None = None
    """Tools that the model asked for; the ids join them to `tool_use_id` and `tool_results`."""
    tool_results: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Ids of the tool calls whose results stand in the trailing new turn."""
    tool: str | None = None
    """The tool that an MCP call names, or a tool call that was held or refused in an answer."""
    tool_use_id: str | None = None
    """The model's tool call that an MCP call comes from, as the client says."""
    arguments: dict[str, JsonValue] | None = None
    """Arguments of an MCP call; of an answer's tool calls, by tool. Bounded: see `truncated`."""
    arguments_text: str | None = None
    """The same as text, with what does not parse."""

    rpc_method: str | None = None
    """The JSON-RPC method, or `batch`."""
    rpc_id: str | None = None
    """The JSON-RPC id as text."""
    rpc_count: Long | None = None
    """How many JSON-RPC messages the body holds, where it is not one."""
    rpc_error: RpcError | None = None
    """The JSON-RPC error of an answer."""
    is_error: bool | None = None
    """True where the tool itself failed."""
    mcp_revision: str | None = None
    """The protocol revision that the exchange names."""

    basis: Literal["claimed", "trace", "principal", "boot"] | None = None
    """What a session was recognised by; `boot` where it is the gateway's own."""
    boot: BootCertificate | None = None
    """Of the gateway's own session: the key of this boot."""
    boot_note: str | None = None
    """Its certificate by the deployment's long-term key, a signed note."""
    heartbeat: Heartbeat | None = None
    """Which strands the gateway writes, and how far it has come with each."""
    signature: Signature | None = None
    """The boot's key over the heartbeat."""
    version: str | None = None
    """The recorder's version, where it opened a session."""
    config_digest: str | None = None
    """Digest of the configuration that a session was opened under."""
    records: Long | None = None
    """How many records a session closed with."""
    last: Hex64 | None = None
    """Of a close: the hash of the header before it."""
    reason: str | None = None
    """Why a session closed, or a decision fell."""
    access: Access | None = None
    """Of an `access`: who looked at the session, and how."""
    decision: Literal["allow", "deny", "hold"] | None = None
    """The verdict; `hold` where people were asked, whose verdict stands in a record of its own."""
    replacement: str | None = None
    """The text that took the place of a refused tool call."""
    approval: ApprovalSaid | None = None
    """Where people decided, or should have."""
    deletion: Statement | None = None
    """Of a statement that records are lawfully deleted: what it states."""
    deletion_note: str | None = None
    """The same, signed by the deployment's key for deletions: a signed note."""


class Unmapped(Strict):
    tacho: Tacho
