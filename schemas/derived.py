"""Documents that derive from a record: how messages and parts are named, and which documents name them.

A document of the wire has its place in a chain, one that derives from it has none. So its uid follows from
what names it: whoever has the one document knows the uid of the other, and misses it where it was left out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tachograph.schemas.errors import MalformedRecord

__all__ = ["MESSAGE", "PART", "Naming", "message_uid", "part_uid"]

MESSAGE, PART = "message", "part"
_MESSAGES = uuid.UUID("b8b5f3c0-0c8e-5d5c-9d53-6a2f1b3d7e42")
_PARTS = uuid.UUID("0b7c52a4-7bd5-5f0a-8f8e-7f6d3a1c9e15")
_SHAPE = ConfigDict(frozen=True, extra="ignore", strict=True)
Count = Annotated[int, Field(ge=0, lt=2**53)]


def message_uid(session: uuid.UUID | str, connection: str | None, day: str, digest: str) -> uuid.UUID:
    """A message document's identity: the same in every request of that session, connection and day.

    `day` is `YYYY-MM-DD`; `digest` is the message's `hash`, over all that was said up to it.
    """
    return uuid.uuid5(_MESSAGES, f"{session}/{connection or ''}/{day}/{digest}")


def part_uid(of: uuid.UUID | str, index: int) -> uuid.UUID:
    """The identity of a further slice of a document's body; `index` is from 1."""
    return uuid.uuid5(_PARTS, f"{of}/{index}")


class _Message(BaseModel):
    model_config = _SHAPE
    hash: str
    parent: str
    index: Count


class _Part(BaseModel):
    model_config = _SHAPE
    of: str
    index: Count


class _Conversation(BaseModel):
    model_config = _SHAPE
    head: str


class Naming(BaseModel):
    """What a document says of its own name and of other documents; the rest of it is left aside."""

    model_config = _SHAPE

    type: str
    session: str
    connection: str | None = None
    body_parts: Count = 0
    message: _Message | None = None
    part: _Part | None = None
    conversation: _Conversation | None = None

    @classmethod
    def of(cls, tacho: dict[str, Any]) -> Self:
        """Read from what stands under `unmapped.tacho`; raises `MalformedRecord`."""
        try:
            found = cls.model_validate(tacho)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
            raise MalformedRecord(f"it breaks the schema of names at: {fields[:200]}") from None
        if (found.type, found.message) == (MESSAGE, None) or (found.type, found.part) == (PART, None):
            raise MalformedRecord(f"expected `{found.type}` in a document of this type")
        return found

    def own(self, day: str) -> uuid.UUID | None:
        """The uid that a document of this content and day (`YYYY-MM-DD`) has; None where none follows."""
        if self.type == MESSAGE and self.message is not None:
            whole = message_uid(self.session, self.connection, day, self.message.hash)
            return whole if self.part is None else part_uid(whole, self.part.index)
        return part_uid(self.part.of, self.part.index) if self.type == PART and self.part else None

    def message_named(self, day: str) -> uuid.UUID | None:
        """The message that has to be there with it: the one before it, or the last of its conversation."""
        if self.message is not None and self.type == MESSAGE:
            named = self.message.parent if self.message.index else None
        else:
            named = self.conversation.head if self.conversation else None
        return None if named is None else message_uid(self.session, self.connection, day, named)

    def parts_named(self, uid: str) -> Iterator[uuid.UUID]:
        """The further slices of its body, in their order; `uid` is the document's."""
        return (part_uid(uid, index) for index in range(1, self.body_parts + 1))
