"""A leaf of the log: one masked record of a partition, by its place and its hash, without its content.

The leaf's data is the record's exact bytes, so its hash is `merkle.leaf_hash(value)`; the document holds a
salt of its own, so nobody can guess a document from its leaf. What retention took away unread is a leaf too.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.merkle import HASH_BYTES, Frontier

__all__ = ["GAP", "Leaf", "gap_data", "pack_frontier", "unpack_frontier"]

GAP = "gap"
"""The type of a leaf that stands for records that were gone before they could be sealed."""
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=0, lt=2**53)]


class Leaf(BaseModel):
    """One entry of the leaves topic. `offset` is the record's in its partition of the masked topic."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    index: Number
    offset: Number
    leaf: Hex64
    type: Annotated[str, StringConstraints(max_length=64)]
    uid: UUID | None = None
    session: UUID | None = None
    day: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(\.[0-9]{2}){2}$")] | None = None

    def canonical(self) -> bytes:
        """The one byte form that is stored."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read it back; raises `MalformedRecord` for anything else."""
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
            raise MalformedRecord(f"the leaf breaks its schema at: {fields[:200]}") from None
        if found.canonical() != data:
            raise MalformedRecord("the leaf is not in canonical form")
        return found


def gap_data(first: int, after: int) -> bytes:
    """The data of a leaf that says: the records from offset `first` up to before `after` are gone."""
    return canonical_json({"after": after, "first": first, "gap": 1})


def pack_frontier(frontier: Frontier) -> bytes:
    """Eight bytes of size, then the hashes: what the next writer needs to go on."""
    return frontier.size.to_bytes(8) + b"".join(frontier.hashes)


def unpack_frontier(data: bytes) -> Frontier:
    """Read it back; raises `MalformedRecord`."""
    if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
        raise MalformedRecord(f"frontier: expected 8 bytes and whole hashes, got {len(data)} bytes")
    hashes = tuple(data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES))
    return Frontier(int.from_bytes(data[:8]), hashes)
