"""Salts and commitments of a document: what was taken out of it can later be proven, and not guessed.

Every salt follows from the strand's data key, so masking stays a pure function of the raw record; it can be
made again as long as that key is there, and by nobody once it is shredded. docs/spec/record.md has the rules.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tachograph.schemas.merkle import Frontier, leaf_hash

__all__ = [
    "MAX_REMOVED",
    "Removed",
    "RemovedMore",
    "Salt",
    "commitment",
    "commitments_root",
    "document_salt",
    "message_key",
    "removed_block",
    "salt_key",
    "value_salt",
]

MAX_REMOVED = 200
"""Commitments in one document; where there are more, a Merkle root stands for all of them."""
_SALT_CHARS = 32
_NONCE = b"\xff" * 12
"""No record has it: `seq` is below 2^53."""
_KEY_BYTES = 32

Salt = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Removed(_Event):
    """One value that masking took out of this record, however often it stood there."""

    type: str
    pseudonym: str | None = None
    """As its marker shows it; none for a type whose values could be tried out."""
    commit: Hex64
    """SHA-256(0x02 || salt of the value || value)."""


class RemovedMore(_Event):
    """All of them, where they are too many: how many, and the root of the RFC 9162 tree of their commits."""

    count: Annotated[int, Field(ge=0, lt=2**53)]
    root: Hex64


def salt_key(cipher: AESGCM) -> bytes:
    """The key of a strand's salts: keystream of its data key under a nonce that no record has."""
    return cipher.encrypt(_NONCE, bytes(_KEY_BYTES), None)[:_KEY_BYTES]


def message_key(pseudonym_secret: bytes, session: str) -> bytes:
    """The key of the salts of a session's messages, which are the same whichever strand carried them."""
    return hmac.digest(pseudonym_secret, b"tachograph/message-salt/1\0" + session.encode(), "sha256")


def document_salt(key: bytes, uid: str) -> str:
    """The salt of one document, 16 bytes in hex."""
    return hmac.digest(key, b"salt\0" + uid.encode(), "sha256").hex()[:_SALT_CHARS]


def value_salt(key: bytes, uid: str, index: int) -> bytes:
    """The salt of the value that was taken out as number `index` (from 0) of the record `uid`."""
    return hmac.digest(key, b"removed\0%b\0%d" % (uid.encode(), index), "sha256")


def commitment(salt: bytes, value: bytes) -> str:
    """What the document says of a value, in hex."""
    return hashlib.sha256(b"\x02" + salt + value).hexdigest()


def commitments_root(commits: Sequence[str]) -> str:
    """The root of the tree whose leaves are these commitments, as bytes."""
    return Frontier().extended(leaf_hash(bytes.fromhex(commit)) for commit in commits).root().hex()


def removed_block(found: Sequence[tuple[str, str | None, bytes]], key: bytes, uid: str) -> dict[str, Any]:
    """`removed` of one document, and `removed_more`, from (type, pseudonym, value) in order; {} for none."""
    if not found:
        return {}
    commits = [commitment(value_salt(key, uid, number), item[2]) for number, item in enumerate(found)]
    told = [
        {"type": kind} | ({"pseudonym": pseudonym} if pseudonym else {}) | {"commit": commit}
        for (kind, pseudonym, _), commit in zip(found[:MAX_REMOVED], commits, strict=False)
    ]
    if len(commits) <= MAX_REMOVED:
        return {"removed": told}
    return {"removed": told, "removed_more": {"count": len(commits), "root": commitments_root(commits)}}
