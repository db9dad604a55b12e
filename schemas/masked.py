"""The masked event: the part of OCSF 1.9.0 that we emit, and what OCSF has no place for.

What stands on the masked topic and, byte for byte, in the index. `unmapped.tacho` carries the capture
header verbatim (its canonical JSON hashes to the attestation's fingerprint) and everything of ours.
The hot path builds plain dictionaries; these models are the promise they are held to, and the source of
`schemas/json/masked-event.schema.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, TypeAdapter, model_validator

from tachograph.schemas import ocsf
from tachograph.schemas.access import Access
from tachograph.schemas.commitments import Removed, RemovedMore, Salt
from tachograph.schemas.deletion import Statement
from tachograph.schemas.event import Agent, Hex64, Name, Principal, Timestamp, Trace
from tachograph.schemas.heartbeat import BootCertificate, Heartbeat, Signature

__all__ = [
    "ApiActivity",
    "ApplicationLifecycle",
    "DocumentType",
    "HttpActivity",
    "MaskedEvent",
    "Tacho",
    "masked_event_adapter",
]

Int = Annotated[int, Field(ge=0, lt=2**31)]
Long = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Profile = Literal["ai_operation", "host", "record_integrity", "security_control", "trace"]
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


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def _siblings(value: object, pairs: Mapping[str, Mapping[int, str]]) -> None:
    for name, captions in pairs.items():
        number = getattr(value, f"{name}_id")
        caption = getattr(value, name)
        if (number is None) != (caption is None) or (number is not None and captions.get(number) != caption):
            raise ValueError(f"{name}_id and {name} disagree: got {number} and {caption}")


# --- OCSF objects -----------------------------------------------------------------------------------


class Product(_Event):
    name: str
    uid: str | None = None
    vendor_name: str | None = None
    version: str | None = None


class Metadata(_Event):
    version: Literal["1.9.0"]
    product: Product
    uid: Uuid
    profiles: Annotated[tuple[Profile, ...], Field(strict=False)] = ()
    log_name: str
    log_version: str
    original_time: Timestamp | None = None
    correlation_uid: Uuid | None = None
    sequence: Int | None = None
    is_truncated: bool | None = None
    untruncated_size: Int | None = None


class Idp(_Event):
    name: str
    issuer: str


class User(_Event):
    uid: str
    name: str
    type_id: Literal[0, 3, 4]
    type: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _siblings(self, {"type": ocsf.USER_TYPES})
        return self


class Session(_Event):
    uid: Uuid
    uid_alt: str | None = None
    """The client's own session id: claimed."""
    issuer: str | None = None


class Actor(_Event):
    user: User | None = None
    session: Session
    idp: Idp | None = None


class Endpoint(_Event):
    name: str
    uid: str | None = None
    ip: str | None = None
    hostname: str | None = None
    port: Port | None = None
    svc_name: str | None = None


class HttpHeader(_Event):
    name: str
    value: str


class Url(_Event):
    url_string: str
    scheme: str | None = None
    hostname: str | None = None
    port: Port | None = None
    path: str | None = None
    query_string: str | None = None


class HttpRequest(_Event):
    uid: Uuid | None = None
    http_method: str | None = None
    url: Url
    version: str | None = None
    user_agent: str | None = None
    referrer: str | None = None
    http_headers: Annotated[tuple[HttpHeader, ...], Field(strict=False)] | None = None
    body_length: Int | None = None

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if self.http_method is not None and self.http_method not in ocsf.HTTP_METHODS:
            raise ValueError(f"http_method: expected one that OCSF numbers, got {self.http_method!r:.20}")
        return self


class HttpResponse(_Event):
    code: Int
    status: str | None = None
    message: str | None = None
    content_type: str | None = None
    latency: Int | None = None
    """Milliseconds from the request's first byte to the response's first byte."""
    http_headers: Annotated[tuple[HttpHeader, ...], Field(strict=False)] | None = None
    body_length: Int | None = None


class Service(_Event):
    name: str
    version: str | None = None


class ApiRequest(_Event):
    uid: str


class ApiResponse(_Event):
    code: Int | None = None
    error: str | None = None
    error_message: str | None = None


class Api(_Event):
    operation: str
    service: Service | None = None
    version: str | None = None
    request: ApiRequest | None = None
    response: ApiResponse | None = None


class AiModel(_Event):
    ai_provider: str
    name: str


class AiAgent(_Event):
    name: str
    uid: str
    instance_uid: str | None = None
    """The agent id that the client claims."""


class MessageContext(_Event):
    uid: str
    ai_role_id: Literal[0, 1, 2, 3, 99]
    ai_role: str
    service: Service
    prompt_text: str | None = None
    response_text: str | None = None
    prompt_tokens: Int | None = None
    completion_tokens: Int | None = None
    total_tokens: Int | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _siblings(self, {"ai_role": ocsf.AI_ROLES})
        return self


class TraceContext(_Event):
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Fingerprint(_Event):
    algorithm_id: Literal[3]
    algorithm: Literal["SHA-256"]
    encoding_id: Literal[1]
    encoding: Literal["Hex"]
    serialization_id: Literal[2]
    serialization: Literal["JCS"]
    value: Hex64


class PrevEvent(_Event):
    uid: Uuid
    fingerprint: Fingerprint


class Attestation(_Event):
    """The capture chain: the fingerprint is of the record's own header, which commits to the raw bytes."""

    uid: Uuid
    chain_uid: str
    fingerprint: Fingerprint
    prev_event: PrevEvent | None = None


# --- what OCSF has no place for ----------------------------------------------------------------------


class Conversation(_Event):
    """One LLM request's place in a conversation; hashes are of the normalised prefix of its messages."""

    head: Hex64
    previous: Hex64 | None = None
    """The head of the request before, if nothing was compacted: no request with that head is a break."""
    count: Long
    messages_new: Long
    """How many messages stand after the last one of the assistant: the trailing new turn."""


class ToolCall(_Event):
    id: str
    name: str


class Usage(_Event):
    """Tokens; input counts neither what was read from nor what was written to the cache."""

    input_tokens: Long | None = None
    output_tokens: Long | None = None
    cache_read_tokens: Long | None = None
    cache_write_tokens: Long | None = None


class Masked(_Event):
    """What masking replaced: how many values, by which rules."""

    total: Long
    rules: Annotated[tuple[str, ...], Field(strict=False)]
    counts: dict[str, Long]


class WireBody(_Event):
    """The whole body as it was on the wire, before decoding; without its hash where that tells a secret."""

    length: Long
    sha256: str | None = None
    chunks: Long
    complete: bool


class WireTiming(_Event):
    """Unix nanoseconds, then microseconds after it."""

    start: Long
    request_end: Long | None = None
    first_byte: Long | None = None
    end: Long


class Failure(_Event):
    """Why an exchange did not end well, by our code."""

    code: str
    detail: str


class ChunkPlace(_Event):
    """Where a slice stands in its body. `text_in` says that its text is stored elsewhere, and where."""

    index: Long
    offset: Long
    sha256: str | None = None
    text_in: Literal["messages"] | None = None


class PartPlace(_Event):
    """A further slice of a document's body that did not fit into it."""

    of: Uuid
    index: Long
    count: Long


class Message(_Event):
    """One message of a conversation, stored once."""

    hash: Hex64
    parent: Hex64
    index: Long
    role: str


class RpcError(_Event):
    code: int | None = None
    message: str


class PolicySaid(_Event):
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


class ApprovalAsked(_Event):
    """So many distinct reviewers of a group, because a policy asks for them."""

    group: str
    reviewers: Long
    policy: str


class Reviewed(_Event):
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


class ApprovalSaid(_Event):
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


class Tacho(_Event):
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


class Unmapped(_Event):
    tacho: Tacho


# --- OCSF classes ------------------------------------------------------------------------------------


class Policy(_Event):
    name: str
    uid: str
    version: str
    desc: str | None = None
    is_applied: bool


class _Base(_Event):
    category_uid: int
    category_name: str
    class_uid: int
    class_name: str
    activity_id: int
    activity_name: str
    type_uid: int
    type_name: str
    time: Millis
    severity_id: Literal[0, 1, 2, 3, 4]
    severity: str
    status_id: Literal[0, 1, 2]
    status: str
    status_code: str | None = None
    status_detail: str | None = None
    message: str
    start_time: Millis | None = None
    end_time: Millis | None = None
    duration: Long | None = None
    metadata: Metadata
    actor: Actor | None = None
    ai_agent: AiAgent | None = None
    attestation_list: Annotated[tuple[Attestation, ...], Field(strict=False)] | None = None
    action_id: Literal[0, 1, 2] | None = None
    action: str | None = None
    disposition_id: Literal[0, 1, 2] | None = None
    disposition: str | None = None
    policy: Policy | None = None
    is_alert: bool | None = None
    unmapped: Unmapped

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _siblings(
            self,
            {
                "severity": ocsf.SEVERITIES,
                "status": ocsf.STATUSES,
                "action": ocsf.ACTIONS,
                "disposition": ocsf.DISPOSITIONS,
            },
        )
        expected: dict[str, Any] = {
            "class_name": ocsf.CLASSES[self.class_uid],
            "category_uid": self.class_uid // 1000,
            "category_name": ocsf.CATEGORIES[self.class_uid // 1000],
            "activity_name": ocsf.CLASS_ACTIVITIES[self.class_uid].get(self.activity_id),
            "type_uid": ocsf.type_uid(self.class_uid, self.activity_id),
            "type_name": ocsf.type_name(self.class_uid, self.activity_id),
        }
        for name, value in expected.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name}: expected {value!r}, got {getattr(self, name)!r}")
        return self

    @model_validator(mode="after")
    def _profiles(self) -> Self:
        wanted = {
            name for name, fields in _PROFILE_FIELDS.items() if any(getattr(self, f, None) for f in fields)
        }
        named = set(self.metadata.profiles)
        if wanted != named:
            raise ValueError(f"profiles: expected {sorted(wanted)}, got {sorted(named)}")
        return self


_PROFILE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "ai_operation": ("ai_agent", "ai_model", "message_context"),
    "host": ("actor",),
    "record_integrity": ("attestation_list",),
    "security_control": ("action_id", "disposition_id", "policy"),
    "trace": ("trace",),
}


class _Exchange(_Base):
    src_endpoint: Endpoint
    dst_endpoint: Endpoint | None = None
    http_request: HttpRequest | None = None
    http_response: HttpResponse | None = None
    ai_model: AiModel | None = None
    message_context: MessageContext | None = None
    trace: TraceContext | None = None


class ApiActivity(_Exchange):
    """API Activity 6003: calls on `llm` and `mcp` connections, and the messages of conversations."""

    category_uid: Literal[6]
    class_uid: Literal[6003]
    activity_id: Literal[0, 1, 2, 3, 4, 99]
    actor: Actor
    api: Api


class HttpActivity(_Exchange):
    """HTTP Activity 4002: calls on `http` connections, and what could not be told apart."""

    category_uid: Literal[4]
    class_uid: Literal[4002]
    activity_id: Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 18, 22, 25, 28, 29, 32, 33, 37, 99]
    http_status: Int | None = None


class ApplicationLifecycle(_Base):
    """Application Lifecycle 6002: a session opens (Start) and closes (Stop)."""

    category_uid: Literal[6]
    class_uid: Literal[6002]
    activity_id: Literal[0, 3, 4, 99]
    app: Product


class FindingInfo(_Event):
    uid: Uuid
    title: str
    desc: str
    types: Annotated[tuple[Literal["canary-leak"], ...], Field(strict=False)]
    created_time: Millis


class Remediation(_Event):
    desc: str


class Leak(_Event):
    """Our own facts of a leak: where it came through and what was planted where; never a value."""

    v: Literal[1]
    uid: Uuid
    type: Literal["finding"]
    session: Uuid
    reason: Literal["canary-leak"]
    partition: Long
    leaks: Long
    places: Annotated[tuple[str, ...], Field(strict=False)]


class UnmappedLeak(_Event):
    tacho: Leak


class DetectionFinding(_Event):
    """Detection Finding 2004: planted secrets could be read, and their partition stands still."""

    category_uid: Literal[2]
    category_name: Literal["Findings"]
    class_uid: Literal[2004]
    class_name: Literal["Detection Finding"]
    activity_id: Literal[1]
    activity_name: Literal["Create"]
    type_uid: Literal[200401]
    type_name: Literal["Detection Finding: Create"]
    time: Millis
    severity_id: Literal[5]
    severity: Literal["Critical"]
    status_id: Literal[1]
    status: Literal["New"]
    message: str
    is_alert: Literal[True]
    finding_info: FindingInfo
    remediation: Remediation
    metadata: Metadata
    unmapped: UnmappedLeak


_Class = ApiActivity | HttpActivity | ApplicationLifecycle | DetectionFinding
MaskedEvent = Annotated[_Class, Field(discriminator="class_uid")]
masked_event_adapter: TypeAdapter[_Class] = TypeAdapter(MaskedEvent)
