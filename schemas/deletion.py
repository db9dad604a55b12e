"""A statement that records are lawfully deleted: which, by whom, under which rule; sealed before they go.

It names records by their place in the log, which a Merkle proof binds to their hash, and by what the leaf
records say of them; and the documents that these named, as nobody can read that there any more. It stands in
a document of its own type on the masked topic, signed as a note over its SHA-256. It is kept for ever, so it
names no person whom the deletion is about.
"""

from __future__ import annotations

import uuid
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf, Number

__all__ = [
    "DELETION_TYPES",
    "ERASURE",
    "EXPIRED",
    "MAX_NAMES",
    "MAX_STATED",
    "DeletionType",
    "Stated",
    "Statement",
    "stated",
    "statement_text",
]

ERASURE: Literal["erasure"] = "erasure"
"""What somebody asked for."""
EXPIRED: Literal["retention.expired"] = "retention.expired"
"""What grew old."""
DeletionType = Literal["erasure", "retention.expired"]
DELETION_TYPES = frozenset((ERASURE, EXPIRED))
"""Types of the documents that hold a statement."""
MAX_STATED = 5_000
"""Records of one statement: at some 80 bytes each a quarter of what a message may hold."""
MAX_NAMES = 5_000
"""Further documents that the records of one statement named."""
_NAMESPACE = uuid.UUID("5d1c6e0b-0d0f-5c8b-9a55-3c0f4b7e2a90")
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Stated = tuple[
    Number,
    Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(\.[0-9]{2}){2}$")],
    Annotated[str, StringConstraints(max_length=64)],
    uuid.UUID,
]
"""Index, day, type and uid, as the leaf record has them."""


class Statement(BaseModel):
    """One statement about records of one session in one log."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    type: DeletionType
    at: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$")]
    by: Text
    rule: Text
    reason: Text | None = None
    session: uuid.UUID
    log: Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f+]{1,255}$")]
    records: Annotated[tuple[Stated, ...], Field(min_length=1, max_length=MAX_STATED)]
    names: Annotated[tuple[uuid.UUID, ...], Field(max_length=MAX_NAMES)] | None = None
    """The documents that these records named (`schemas.derived`), but for those that are among them.
    None, in which form it is left out, in statements from before there was this."""

    @model_validator(mode="after")
    def _nameable(self) -> Self:
        if any(one[0] >= two[0] for one, two in pairwise(self.records)):
            raise ValueError("records: expected ascending indices, no two alike")
        if any(kind in DELETION_TYPES for _, _, kind, _ in self.records):
            raise ValueError("records: expected none that states a deletion itself")
        return self

    @property
    def uid(self) -> uuid.UUID:
        """Its document's, which follows from what it says."""
        return uuid.uuid5(_NAMESPACE, sha256_hex(self.canonical()))

    def said(self) -> dict[str, Any]:
        """The JSON object that stands in the document."""
        return self.model_dump(mode="json", exclude={"names"} if self.names is None else None)

    def canonical(self) -> bytes:
        """The one byte form that is signed."""
        return canonical_json(self.said())

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read the JSON object back; raises `MalformedRecord` for anything but its one form."""
        try:
            data = canonical_json(value)  # type: ignore[arg-type]  # pydantic refuses what is no object
            found = cls.model_validate_json(data)
        except (ValidationError, TypeError):
            raise MalformedRecord("deletion statement: it breaks its schema") from None
        if found.canonical() != data:
            raise MalformedRecord("deletion statement: not in its one form")
        return found


def stated(leaf: Leaf) -> Stated | None:
    """How a statement names the record of this leaf; None where the leaf says too little to delete by."""
    if leaf.day is None or leaf.uid is None or leaf.session is None or leaf.type in DELETION_TYPES:
        return None
    return (leaf.index, leaf.day, leaf.type, leaf.uid)


def statement_text(canonical: bytes) -> str:
    """The text of the note that signs a statement."""
    return f"tachograph/deletion/v1\n{sha256_hex(canonical)}\n"
