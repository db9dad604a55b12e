"""What the masker hands to enrichment and enrichment hands to the publisher: two values, masked throughout.

Neither carries a byte that masking has not seen, so both may be logged by size, parsed and published.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tachograph.schemas.commitments import document_salt
from tachograph.schemas.event import Header
from tachograph.schemas.payload import Meta

__all__ = ["Emitted", "MaskedRecord", "Salts"]


@dataclass(frozen=True, slots=True)
class Salts:
    """Keys of the salts of one record's documents: of those of its strand, and of its session's messages."""

    strand: bytes = field(repr=False)
    messages: bytes = field(repr=False)

    def of(self, uid: uuid.UUID) -> str:
        """The salt of a document that stands for the record or a part of it."""
        return document_salt(self.strand, str(uid))

    def of_message(self, uid: uuid.UUID) -> str:
        """The salt of a message, the same whichever request carried it."""
        return document_salt(self.messages, str(uid))


@dataclass(frozen=True, slots=True)
class MaskedRecord:
    """One record of the wire after masking. `repr` shows sizes only."""

    header: Header
    meta: Meta
    """Headers, target, context, status text and error detail: all masked."""
    body: bytes | None
    """Masked, decoded UTF-8: the whole body on `request` and `response` records (put together from its
    chunks), this slice's text on `chunk` records."""
    withheld: str | None
    """Why there is no body, where masking failed closed."""
    decoded_len: int
    masked: Mapping[str, int]
    """Rule id -> how many values it replaced."""
    ruleset: str
    """Digest of the rules that masked it."""
    text_in: Literal["messages"] | None = None
    """Where the text of a `chunk` record stands that has no body of its own."""
    removed: Mapping[str, Any] = field(default_factory=dict)
    """Commitments to the values that were taken out, as the document has them."""
    salts: Salts | None = None

    def __repr__(self) -> str:
        size = None if self.body is None else len(self.body)
        return f"MaskedRecord(uid={self.header.uid}, type={self.header.type.value!r}, body=<{size} bytes>)"


@dataclass(frozen=True, slots=True)
class Emitted:
    """One message for the masked topic: the OCSF event's bytes and what routes it."""

    uid: uuid.UUID
    session: uuid.UUID
    type: str
    day: str
    """`YYYY.MM.DD` of the event's own time in UTC: it chooses the index."""
    value: bytes
    apart: bool = False
    """Whether all that was said in this request's body stands in `message` documents of its own."""

    def __repr__(self) -> str:
        return (
            f"Emitted(uid={self.uid}, type={self.type!r}, day={self.day!r}, value=<{len(self.value)} bytes>)"
        )
