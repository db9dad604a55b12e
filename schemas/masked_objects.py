"""The objects of OCSF 1.9.0 that masked events are made of: who, where, what was asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tachograph.schemas import ocsf
from tachograph.schemas.event import Hex64, Timestamp

__all__ = [
    "Actor",
    "AiAgent",
    "AiModel",
    "Api",
    "ApiRequest",
    "ApiResponse",
    "Attestation",
    "Endpoint",
    "Fingerprint",
    "HttpHeader",
    "HttpRequest",
    "HttpResponse",
    "Idp",
    "Int",
    "Long",
    "MessageContext",
    "Metadata",
    "Millis",
    "Port",
    "PrevEvent",
    "Product",
    "Profile",
    "Service",
    "Session",
    "Strict",
    "TraceContext",
    "Url",
    "User",
    "Uuid",
    "siblings_agree",
]

Int = Annotated[int, Field(ge=0, lt=2**31)]
Long = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Profile = Literal["ai_operation", "host", "record_integrity", "security_control", "trace"]


class Strict(BaseModel):
    """What all of them have in common: frozen, nothing unknown, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def siblings_agree(value: object, pairs: Mapping[str, Mapping[int, str]]) -> None:
    """Raises `ValueError` unless every `<name>_id` and its caption say the same."""
    for name, captions in pairs.items():
        number = getattr(value, f"{name}_id")
        caption = getattr(value, name)
        if (number is None) != (caption is None) or (number is not None and captions.get(number) != caption):
            raise ValueError(f"{name}_id and {name} disagree: got {number} and {caption}")


class Product(Strict):
    name: str
    uid: str | None = None
    vendor_name: str | None = None
    version: str | None = None


class Metadata(Strict):
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


class Idp(Strict):
    name: str
    issuer: str


class User(Strict):
    uid: str
    name: str
    type_id: Literal[0, 3, 4]
    type: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        siblings_agree(self, {"type": ocsf.USER_TYPES})
        return self


class Session(Strict):
    uid: Uuid
    uid_alt: str | None = None
    """The client's own session id: claimed."""
    issuer: str | None = None


class Actor(Strict):
    user: User | None = None
    session: Session
    idp: Idp | None = None


class Endpoint(Strict):
    name: str
    uid: str | None = None
    ip: str | None = None
    hostname: str | None = None
    port: Port | None = None
    svc_name: str | None = None


class HttpHeader(Strict):
    name: str
    value: str


class Url(Strict):
    url_string: str
    scheme: str | None = None
    hostname: str | None = None
    port: Port | None = None
    path: str | None = None
    query_string: str | None = None


class HttpRequest(Strict):
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


class HttpResponse(Strict):
    code: Int
    status: str | None = None
    message: str | None = None
    content_type: str | None = None
    latency: Int | None = None
    """Milliseconds from the request's first byte to the response's first byte."""
    http_headers: Annotated[tuple[HttpHeader, ...], Field(strict=False)] | None = None
    body_length: Int | None = None


class Service(Strict):
    name: str
    version: str | None = None


class ApiRequest(Strict):
    uid: str


class ApiResponse(Strict):
    code: Int | None = None
    error: str | None = None
    error_message: str | None = None


class Api(Strict):
    operation: str
    service: Service | None = None
    version: str | None = None
    request: ApiRequest | None = None
    response: ApiResponse | None = None


class AiModel(Strict):
    ai_provider: str
    name: str


class AiAgent(Strict):
    name: str
    uid: str
    instance_uid: str | None = None
    """The agent id that the client claims."""


class MessageContext(Strict):
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
        siblings_agree(self, {"ai_role": ocsf.AI_ROLES})
        return self


class TraceContext(Strict):
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Fingerprint(Strict):
    algorithm_id: Literal[3]
    algorithm: Literal["SHA-256"]
    encoding_id: Literal[1]
    encoding: Literal["Hex"]
    serialization_id: Literal[2]
    serialization: Literal["JCS"]
    value: Hex64


class PrevEvent(Strict):
    uid: Uuid
    fingerprint: Fingerprint


class Attestation(Strict):
    """The capture chain: the fingerprint is of the record's own header, which commits to the raw bytes."""

    uid: Uuid
    chain_uid: str
    fingerprint: Fingerprint
    prev_event: PrevEvent | None = None
