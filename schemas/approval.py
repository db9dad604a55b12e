"""The events of the approvals topic: who asked, who decided, who went ahead; each signed with one key.

Canonical JSON with an HMAC-SHA-256 over all of it, so whoever can write to the topic but does not hold the
approvals key can neither forge nor alter one. A reviewer's comment may hold anything, so it is encrypted. Of
the agent's request there are only digests. What a row of events means is the law of `approval_book.py`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from typing import Annotated, Any, Literal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.errors import MalformedRecord, SealBroken, UnknownVersion
from tachograph.schemas.event import Name, Principal, Protocol

__all__ = [
    "APPROVAL_KEY_BYTES",
    "DEFAULT_GRANT_MINUTES",
    "MAX_EVENT_BYTES",
    "MAX_GRANT_MINUTES",
    "MAX_REASON",
    "MAX_WAIT_SECONDS",
    "ApprovalEvent",
    "ApprovalKey",
    "Claimed",
    "Decided",
    "Expired",
    "Need",
    "Requested",
    "Reviewer",
    "Revoked",
]

APPROVAL_VERSION = 1
APPROVAL_KEY_BYTES = 32
MAX_EVENT_BYTES = 128 << 10
MAX_WAIT_SECONDS = 24 * 3600
"""The longest that a request may wait for its reviewers."""
DEFAULT_GRANT_MINUTES = 30
MAX_GRANT_MINUTES = 480
"""The longest that one decision may serve for; an operator may lower it."""
MAX_COMMENT = 2000
MAX_REASON = 1000
MAX_NEEDS = 16
MAX_GROUPS = 256

Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Millis = Annotated[int, Field(ge=0, lt=2**53)]
"""Unix time in milliseconds."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _speakable(text: str) -> str:
    """What is shown in a terminal may not steer it."""
    if any(not (char.isprintable() or char in "\n\t") for char in text):
        raise ValueError("expected printable characters, line feeds and tabs")
    return text


Comment = Annotated[str, StringConstraints(max_length=MAX_COMMENT), AfterValidator(_speakable)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Need(_Wire):
    """What one policy wants before the request may go: so many distinct reviewers of one group."""

    group: Word
    reviewers: Annotated[int, Field(ge=1, le=16)] = 1
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON), AfterValidator(_speakable)] = ""
    policy: Annotated[str, StringConstraints(max_length=256)] = ""
    """The policy's `@id`."""


class Reviewer(_Wire):
    """Who decided, as the console verified it. `local` is whoever could read the approvals key file."""

    principal: Principal
    groups: Annotated[tuple[Word, ...], Field(max_length=MAX_GROUPS)] = ()
    via: Literal["console", "webhook", "local"]


class _Event(_Wire):
    v: Literal[1] = 1
    approval: uuid.UUID
    at: Millis
    """The writer's own clock. The log's clock decides; one that is too far from it makes the event void."""


class Requested(_Event):
    """A request waits. One that repeats a waiting request of its session joins that one instead."""

    kind: Literal["requested"] = "requested"
    exchange: uuid.UUID
    session: uuid.UUID
    record: uuid.UUID
    """`uid` of the request's record: the masked document that reviewers see has the same."""
    connection: Name
    protocol: Protocol
    requester: Principal
    """With who acts for them; none of all these may review."""
    needs: Annotated[tuple[Need, ...], Field(min_length=1, max_length=MAX_NEEDS)]
    request_digest: Hex64
    """Keyed digest of who asks for what, to the byte; an altered retry has another."""
    scope_digest: Hex64
    """Keyed digest of the kind of request; what a grant is good for."""
    policy_digest: Hex64
    wait_seconds: Annotated[int, Field(ge=1, le=MAX_WAIT_SECONDS)]
    """From the log's time of this event."""
    max_grant_minutes: Annotated[int, Field(ge=0, le=MAX_GRANT_MINUTES)] = MAX_GRANT_MINUTES
    instance: uuid.UUID
    """The ingress worker that holds it."""


class Decided(_Event):
    """One reviewer's word, bound to the digest of the request and of the masked document that was shown."""

    kind: Literal["decided"] = "decided"
    decision: uuid.UUID
    verdict: Literal["approve", "deny"]
    reviewer: Reviewer
    comment: Comment = Field(default="", repr=False)
    request_digest: Hex64
    shown: Hex64 | None = None
    """SHA-256 of the masked document as it is stored. Nobody approves what was not shown."""
    grant_minutes: Annotated[int, Field(ge=0, le=MAX_GRANT_MINUTES)] = 0
    """0: this one request. Else every request of the same scope by the same principal, for so long."""


class Claimed(_Event):
    """Who wants to forward an approved request. The first in the log may, and nobody else ever."""

    kind: Literal["claimed"] = "claimed"
    claim: uuid.UUID
    exchange: uuid.UUID
    instance: uuid.UUID


class Expired(_Event):
    """Nobody decided in time. Time itself ends an approval; this only says so to those who look."""

    kind: Literal["expired"] = "expired"


class Revoked(_Event):
    """A grant ends before its time."""

    kind: Literal["revoked"] = "revoked"
    reviewer: Reviewer
    comment: Comment = Field(default="", repr=False)


ApprovalEvent = Annotated[Requested | Decided | Claimed | Expired | Revoked, Field(discriminator="kind")]
_EVENT: TypeAdapter[Requested | Decided | Claimed | Expired | Revoked] = TypeAdapter(ApprovalEvent)


class ApprovalKey:
    """Signs and reads the events. Held by the ingress and the console only; `repr` shows its id only."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != APPROVAL_KEY_BYTES:
            raise ValueError(f"approvals key: expected {APPROVAL_KEY_BYTES} bytes, got {len(secret)}")
        self.id = sha256_hex(b"tachograph approvals key id" + secret)[:16]
        self._mac = _derive(secret, "approval mac", 32)
        self._comments = AESSIV(_derive(secret, "approval comment", 64))

    def __repr__(self) -> str:
        return f"ApprovalKey(id={self.id!r})"

    def seal(self, event: ApprovalEvent) -> bytes:
        """The event's one byte form on the topic. Raises `MalformedRecord` beyond `MAX_EVENT_BYTES`."""
        fields = event.model_dump(mode="json")
        if fields.get("comment"):
            fields["comment"] = self._hide(fields["comment"], fields)
        sealed = canonical_json({**fields, "mac": self._sign(fields)})
        _check_length(sealed)
        return sealed

    def open(self, data: bytes) -> ApprovalEvent:
        """Read one back. Raises `SealBroken` for a mac that is not ours, else `MalformedRecord`.

        That it was written when it says, and that it means anything, is not checked here.
        """
        fields = _fields(data)
        mac = fields.pop("mac", None)
        if not isinstance(mac, str) or not hmac.compare_digest(mac.encode(), self._sign(fields).encode()):
            raise SealBroken("approval event: its mac is not of this approvals key")
        if (version := fields.get("v")) != APPROVAL_VERSION:
            raise UnknownVersion(f"approval event: expected version {APPROVAL_VERSION}, got {version!r:.20}")
        if fields.get("comment"):
            fields["comment"] = self._show(fields["comment"], fields)
        try:
            return _EVENT.validate_json(orjson.dumps(fields))
        except ValidationError as error:
            places = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
            raise MalformedRecord(f"approval event breaks its schema at: {places[:200]}") from None

    def _sign(self, fields: dict[str, Any]) -> str:
        return hmac.digest(self._mac, canonical_json(fields), "sha256").hex()

    def _hide(self, comment: str, fields: dict[str, Any]) -> str:
        return base64.b64encode(self._comments.encrypt(comment.encode(), _bound_to(fields))).decode()

    def _show(self, hidden: object, fields: dict[str, Any]) -> str:
        try:
            sealed = base64.b64decode(str(hidden), validate=True)
            return self._comments.decrypt(sealed, _bound_to(fields)).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise SealBroken("approval event: its comment does not open") from None


def _fields(data: bytes) -> dict[str, Any]:
    _check_length(data)
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MalformedRecord("approval event: not JSON") from None
    try:
        canonical = isinstance(fields, dict) and canonical_json(fields) == data
    except orjson.JSONEncodeError:  # nested deeper than anything that we write
        canonical = False
    if not canonical:
        raise MalformedRecord("approval event: not in canonical form")
    return dict(fields)


def _check_length(data: bytes) -> None:
    if len(data) > MAX_EVENT_BYTES:
        raise MalformedRecord(f"approval event: expected at most {MAX_EVENT_BYTES} bytes, got {len(data)}")


def _bound_to(fields: dict[str, Any]) -> list[bytes]:
    """A comment belongs to its event: it does not open in another."""
    return [f"{fields.get('approval')}/{fields.get('kind')}/{fields.get('decision', '')}".encode()]


def _derive(secret: bytes, purpose: str, length: int) -> bytes:
    info = b"tachograph " + purpose.encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(secret)
