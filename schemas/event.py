"""The event header: the clear, chained part of every record. It holds nothing secret, so nobody masks it.

One record stands for one thing seen on the wire. (session, epoch) is a strand: one ingress process
writes it, `seq` has no gap in it, and `prev` is the hash of the header before. What a client says about
itself stands under `agent` and is claimed; `principal` is what the gateway verified.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
)

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.errors import MalformedRecord, UnknownVersion

__all__ = [
    "GENESIS",
    "HEADER_VERSION",
    "MAX_ACTORS",
    "Agent",
    "Direction",
    "EventType",
    "Header",
    "Principal",
    "PrincipalKind",
    "Protocol",
    "Trace",
    "event_uid",
    "header_hash",
    "rfc3339_ns",
    "strand_uids",
    "valid_traceparent",
]

HEADER_VERSION = 1
MAX_ACTORS = 8
"""The longest chain of delegation that a principal may come with."""
GENESIS = "0" * 64
"""`prev` of the first record of a strand."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_UID_NAMESPACE = uuid.UUID("6f0c3b5e-5a53-5d0e-9a35-0d9a6f1c8a11")
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""A hex digit with its two upper bits set to 10."""
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

_SAID = rb'"[ !#-\[\]-~]*"'
"""A JSON string of printable ASCII without a quote or an escape: it has no second way to be written."""
_SHAPES = {
    b"TEXT": _SAID,
    b"MAYBE": rb"(?:null|" + _SAID + rb")",
    b"UUID": rb'"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"',
    b"COUNT": rb"(?:0|[1-9][0-9]*)",
    b"FLAG": rb"(?:true|false)",
}
_PLAIN = re.compile(
    re.sub(
        rb"TEXT|MAYBE|UUID|COUNT|FLAG",
        lambda word: _SHAPES[word[0]],
        rb'\{"agent":\{"id":MAYBE,"parent":MAYBE,"session":MAYBE\},"connection":MAYBE,"direction":TEXT,'
        rb'"epoch":UUID,"exchange":(?:null|UUID),"incomplete":FLAG,"prev":TEXT,'
        rb'"principal":\{(?:"actors":\[TEXT(?:,TEXT)*\],)?"id":TEXT,"issuer":MAYBE,"kind":TEXT\},"protocol":MAYBE,"raw_commit":TEXT,'
        rb'"raw_len":COUNT,(?:"registry":TEXT,)?"seq":COUNT,"session":UUID,"trace":(?:null|\{"traceparent":TEXT\}),"ts":TEXT,'
        rb'"type":TEXT,"uid":UUID,"v":1\}',
    )
)
"""Bytes that are in canonical form already, if the schema takes what they say. A header whose free texts
hold more than printable ASCII is compared with what it would be written as instead."""

Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$")]
Timestamp = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{9}Z$")
]


class EventType(StrEnum):
    """What was seen. A long body is `chunk` records closed by its `request` or `response`."""

    SESSION_OPEN = "session.open"
    REQUEST = "request"
    CHUNK = "chunk"
    RESPONSE = "response"
    DECISION = "decision"
    SESSION_CLOSE = "session.close"
    HEARTBEAT = "heartbeat"


class Direction(StrEnum):
    """Which way the recorded bytes travelled, seen from the agent."""

    REQUEST = "request"
    RESPONSE = "response"
    NONE = "none"


class Protocol(StrEnum):
    """What a connection speaks; it decides how a record is parsed and how a refusal is worded."""

    HTTP = "http"
    LLM = "llm"
    MCP = "mcp"


class PrincipalKind(StrEnum):
    """How the gateway knows who it is."""

    API_KEY = "api_key"
    OIDC = "oidc"
    SAML = "saml"
    MTLS = "mtls"
    ANONYMOUS = "anonymous"
    GATEWAY = "gateway"


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")


class Principal(_Wire):
    """Who the gateway verified: `id` is the key's name, the token's subject, or the certificate's name."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    kind: PrincipalKind
    issuer: Annotated[str, StringConstraints(max_length=512)] | None = None
    actors: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=512)], ...],
        Field(max_length=MAX_ACTORS, strict=False),
    ] = ()
    """Who acts for `id`, the current actor first (RFC 8693, 4.1). Written only where there is one."""

    @model_serializer(mode="wrap")
    def _short(self, write: SerializerFunctionWrapHandler) -> Mapping[str, Any]:
        # One byte form a principal: an absent chain and an empty one must not be two.
        whole: dict[str, Any] = write(self)
        return whole if whole["actors"] else {name: whole[name] for name in ("id", "kind", "issuer")}


class Agent(_Wire):
    """What the client claims about itself. UUIDs stand as they came, anything else as a keyed fingerprint."""

    session: Annotated[str, StringConstraints(max_length=64)] | None = None
    id: Annotated[str, StringConstraints(max_length=64)] | None = None
    parent: Annotated[str, StringConstraints(max_length=64)] | None = None


class Trace(_Wire):
    """W3C Trace Context as the client sent it, if it was well formed."""

    traceparent: Annotated[str, StringConstraints(pattern=rf"^{_TRACEPARENT.pattern}$")]


class Header(_Wire):
    """The clear part of one record; canonical JSON of it is hashed, chained and authenticated."""

    v: Literal[1] = 1
    uid: uuid.UUID
    type: EventType
    ts: Timestamp
    session: uuid.UUID
    epoch: uuid.UUID
    seq: Annotated[int, Field(ge=0, lt=2**53)]
    prev: Hex64
    exchange: uuid.UUID | None = None
    connection: Name | None = None
    protocol: Protocol | None = None
    direction: Direction = Direction.NONE
    principal: Principal
    agent: Agent = Agent()
    trace: Trace | None = None
    raw_commit: Hex64
    raw_len: Annotated[int, Field(ge=0, lt=2**53)]
    registry: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None,
        Field(exclude_if=lambda value: value is None),
    ] = None
    """How the digest of the registry begins by which it was decided and is masked. Written only where there
    is one, so that headers from before there was one keep their bytes."""
    incomplete: bool = False

    def canonical(self) -> bytes:
        """The one byte form that is stored, hashed and authenticated."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read canonical bytes back; refuses unknown versions, unknown fields and any other byte form."""
        plain = _PLAIN.fullmatch(data) is not None
        if not plain:
            _check_version(data)
        try:
            header = cls.model_validate_json(data)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
            raise MalformedRecord(f"the header breaks its schema at: {fields}") from None
        if not plain and header.canonical() != data:
            raise MalformedRecord("the header is not in canonical form")
        if header.uid != event_uid(header.session, header.epoch, header.seq):
            raise MalformedRecord("the uid does not follow from session, epoch and seq")
        return header


def _check_version(data: bytes) -> None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedRecord("the header is not JSON") from error
    version = value.get("v") if isinstance(value, dict) else None
    if version != HEADER_VERSION:
        raise UnknownVersion(f"header version: expected {HEADER_VERSION}, got {version!r:.20}")


def event_uid(session: uuid.UUID, epoch: uuid.UUID, seq: int) -> uuid.UUID:
    """The record's identity everywhere: Kafka header, OCSF `metadata.uid`, OpenSearch `_id`."""
    return uuid.uuid5(_UID_NAMESPACE, f"{session}/{epoch}/{seq}")


def strand_uids(session: uuid.UUID, epoch: uuid.UUID) -> Callable[[int], str]:
    """`event_uid` of one strand's records by their `seq`, as text: what all have in common is hashed once."""
    begun = hashlib.sha1(_UID_NAMESPACE.bytes + f"{session}/{epoch}/".encode(), usedforsecurity=False)

    def uid(seq: int) -> str:
        digest = begun.copy()
        digest.update(b"%d" % seq)
        text = digest.hexdigest()
        # RFC 9562, 5.5: the first 128 bits of SHA-1, over which version and variant are written
        return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"

    return uid


def header_hash(canonical: bytes) -> str:
    """What the next record of the strand carries as `prev`."""
    return sha256_hex(canonical)


def rfc3339_ns(unix_ns: int) -> str:
    """RFC 3339 in UTC with nine digits, from nanoseconds since the Unix epoch (0 to year 9999)."""
    seconds, nanos = divmod(unix_ns, 1_000_000_000)
    return f"{_second(seconds)}.{nanos:09}Z"


@lru_cache(maxsize=64)
def _second(unix: int) -> str:
    days, rest = divmod(unix, 86_400)
    day = date.fromordinal(days + _EPOCH_ORDINAL)
    hour, rest = divmod(rest, 3_600)
    minute, second = divmod(rest, 60)
    return f"{day.isoformat()}T{hour:02}:{minute:02}:{second:02}"


def valid_traceparent(value: str) -> bool:
    """Whether a `traceparent` is of version 00, well formed, and not all zero (W3C Trace Context, 3.2)."""
    match = _TRACEPARENT.fullmatch(value)
    return match is not None and match[1].strip("0") != "" and match[2].strip("0") != ""
