"""The masked event: the part of OCSF 1.9.0 that we emit, and what OCSF has no place for.

What stands on the masked topic and, byte for byte, in the index. `unmapped.tacho` carries the capture
header verbatim (its canonical JSON hashes to the attestation's fingerprint) and everything of ours.
The hot path builds plain dictionaries; these models are the promise they are held to, and the source of
`schemas/json/masked-event.schema.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from tachograph.schemas import ocsf
from tachograph.schemas.masked_objects import (
    Actor,
    AiAgent,
    AiModel,
    Api,
    Attestation,
    Endpoint,
    HttpRequest,
    HttpResponse,
    Int,
    Long,
    MessageContext,
    Metadata,
    Millis,
    Product,
    Strict,
    TraceContext,
    Uuid,
    siblings_agree,
)
from tachograph.schemas.masked_tacho import Unmapped

__all__ = [
    "ApiActivity",
    "ApplicationLifecycle",
    "HttpActivity",
    "MaskedEvent",
    "masked_event_adapter",
]


class Policy(Strict):
    name: str
    uid: str
    version: str
    desc: str | None = None
    is_applied: bool


class _Base(Strict):
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
        siblings_agree(
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


class FindingInfo(Strict):
    uid: Uuid
    title: str
    desc: str
    types: Annotated[tuple[Literal["canary-leak"], ...], Field(strict=False)]
    created_time: Millis


class Remediation(Strict):
    desc: str


class Leak(Strict):
    """Our own facts of a leak: where it came through and what was planted where; never a value."""

    v: Literal[1]
    uid: Uuid
    type: Literal["finding"]
    session: Uuid
    reason: Literal["canary-leak"]
    partition: Long
    leaks: Long
    places: Annotated[tuple[str, ...], Field(strict=False)]


class UnmappedLeak(Strict):
    tacho: Leak


class DetectionFinding(Strict):
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
