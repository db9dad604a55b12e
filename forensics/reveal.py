"""One removed value proven by its salt: the document's commitment must be that of both, or nothing is said.

The proof says nothing about any other value, and nothing about the document itself: that is `tacho verify`'s.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tachograph.forensics.errors import NotProven, OperatorError
from tachograph.schemas.commitments import MAX_REMOVED, commitment

__all__ = ["MAX_PROOF_BYTES", "Proof", "proof_of", "session_of"]

MAX_PROOF_BYTES = 4 << 20
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Proof(BaseModel):
    """What anybody needs, beside the document, to see that this value stood there. It holds the value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    index: Annotated[int, Field(ge=0, lt=MAX_REMOVED)]
    type: str
    salt: Hex64 = Field(repr=False)
    value: str = Field(repr=False)
    """Its bytes in base64: not every secret is text."""
    commit: Hex64

    @property
    def plain(self) -> bytes:
        """The value's bytes."""
        return base64.b64decode(self.value)

    @classmethod
    def decode(cls, data: bytes, *, file: str) -> Proof:
        """Read a proof. Raises `OperatorError`, which quotes nothing of it."""
        try:
            found = cls.model_validate_json(data)
            base64.b64decode(found.value, validate=True)
        except (ValidationError, binascii.Error, ValueError):
            raise OperatorError(f"{file}: not a proof as `tacho reveal --proof` writes it") from None
        return found

    def check(self, document: Mapping[str, Any]) -> None:
        """Whether it proves a value of this document. Raises `NotProven`."""
        proof_of(document, self.index, bytes.fromhex(self.salt), self.plain, said=self)


def session_of(document: Mapping[str, Any]) -> str:
    """The session of a document."""
    return str(_tacho(document).get("session"))


def proof_of(
    document: Mapping[str, Any], index: int, salt: bytes, value: bytes, *, said: Proof | None = None
) -> Proof:
    """The proof of the value that a document commits to under `index`, which `said`, if any, must equal.

    Raises `NotProven`, which never shows the value.
    """
    tacho = _tacho(document)
    uid, removed = str(tacho.get("uid")), tacho.get("removed")
    item = removed[index] if isinstance(removed, list) and 0 <= index < len(removed) else None
    if not isinstance(item, dict):
        count = len(removed) if isinstance(removed, list) else 0
        raise NotProven(f"document {uid}: has {count} commitments, none with number {index} (from 0)")
    found = commitment(salt, value)
    if item.get("commit") != found:
        raise NotProven(f"document {uid}: commits to another value under number {index}")
    text = base64.b64encode(value).decode()
    kind = str(item.get("type"))
    proof = Proof(uid=uid, index=index, type=kind, salt=salt.hex(), value=text, commit=found)
    if said is not None and proof != said:
        raise NotProven(f"document {uid}: the proof names another document, type or commitment")
    return proof


def _tacho(document: Mapping[str, Any]) -> Mapping[str, Any]:
    unmapped = document.get("unmapped")
    found = unmapped.get("tacho") if isinstance(unmapped, dict) else None
    return found if isinstance(found, dict) else {}
