"""What a replay takes from a document: one of another shape is refused before anything is made of it.

Only the fields that are read. A bundle whose hashes and proofs all fit may still hold what no gateway wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tachograph.forensics.errors import NotReplayable

__all__ = ["MAX_PARTS", "check_shape"]

MAX_PARTS = 1 << 16
"""Further documents of one body, and slices of one: a bundle holds no more files."""
MAX_SAID = 200
"""Characters of what is said to be wrong with a document."""
Number = Annotated[int, Field(ge=0, lt=2**63)]
Place = Annotated[int, Field(ge=0, le=MAX_PARTS)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Chunk(_Shape):
    index: Place


class _Part(_Shape):
    of: str
    index: Place


class _Message(_Shape):
    hash: str
    parent: str


class _Conversation(_Shape):
    head: str
    count: Number


class _WireBody(_Shape):
    chunks: Number | None = None
    complete: bool | None = None


class _Timing(_Shape):
    start: Number | None = None
    request_end: Number | None = None
    first_byte: Number | None = None
    end: Number | None = None


class _Failure(_Shape):
    code: str | None = None


class _Tacho(_Shape):
    uid: str
    type: str
    exchange: str | None = None
    direction: str | None = None
    connection: str | None = None
    protocol: str | None = None
    ts: str | None = None
    seq: Number | None = None
    method: str | None = None
    rpc_method: str | None = None
    registry: str | None = None
    ruleset: str | None = None
    withheld: str | None = None
    origin: str | None = None
    tool: str | None = None
    replacement: str | None = None
    body: str | None = None
    body_parts: Place | None = None
    truncated: list[str] | None = None
    wire_body: _WireBody | None = None
    timing: _Timing | None = None
    error: _Failure | None = None
    conversation: _Conversation | None = None
    chunk: _Chunk | None = None
    part: _Part | None = None
    message: _Message | None = None

    @model_validator(mode="after")
    def _names_its_place(self) -> _Tacho:
        there = {"chunk": self.chunk, "part": self.part, "message": self.message or self.part}
        if self.type in there and there[self.type] is None:
            raise ValueError(f"a {self.type} that says nothing of its place")
        if self.type == "chunk":
            _nanoseconds(self.ts or "")
        return self


class _Header(_Shape):
    name: str
    value: str


class _Url(_Shape):
    path: str | None = None
    query_string: str | None = None


class _Request(_Shape):
    http_method: str | None = None
    url: _Url | None = None
    http_headers: list[_Header] | None = None


class _Response(_Shape):
    code: Annotated[int, Field(ge=0, le=999)] | None = None
    http_headers: list[_Header] | None = None


class _Unmapped(_Shape):
    tacho: _Tacho


class _Document(_Shape):
    unmapped: _Unmapped
    http_request: _Request | None = None
    http_response: _Response | None = None


def check_shape(document: Any) -> Mapping[str, Any]:
    """The document as it is. Raises `NotReplayable`, which names the fields and quotes nothing of them."""
    try:
        _Document.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in found)
        raise NotReplayable(f"a document is none that a gateway writes: {said[:MAX_SAID]}") from None
    checked: Mapping[str, Any] = document
    return checked


def _nanoseconds(text: str) -> None:
    if len(text) != len("2026-01-01T00:00:00.000000000Z") or not text[20:29].isdecimal():
        raise ValueError("expected a time with nine digits of its second")
    datetime.fromisoformat(text[:19] + "+00:00")
