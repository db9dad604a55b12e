"""Signed links: a login for whoever holds the approvals key, and one person's yes or no to one request.

A link is a canonical JSON text and its HMAC-SHA-256 by a key derived from the approvals key. It carries when
it was made and until when it is good. That it is used once is for its reader to see to: a decision's id
follows from its link, so that the log counts it once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from typing import Annotated, Any, Literal, TypeVar

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tachograph.console.errors import Forbidden
from tachograph.schemas.canonical import canonical_json

__all__ = ["MAX_LINK", "DecisionLink", "LinkKey", "LocalLogin"]

MAX_LINK = 8192
_Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Link(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: uuid.UUID
    made_ms: Annotated[int, Field(ge=0)]
    until_ms: Annotated[int, Field(ge=0)]


class LocalLogin(_Link):
    """Lets the browser that opens it in as `principal`."""

    kind: Literal["local-login"] = "local-login"
    principal: _Word
    groups: Annotated[tuple[_Word, ...], Field(max_length=64)] = ()


class DecisionLink(_Link):
    """This reviewer's word on this request and no other."""

    kind: Literal["decision"] = "decision"
    approval: uuid.UUID
    request_digest: _Hex64
    verdict: Literal["approve", "deny"]
    reviewer: _Word
    issuer: str | None = None
    groups: Annotated[tuple[_Word, ...], Field(max_length=64)] = ()


L = TypeVar("L", LocalLogin, DecisionLink)


class LinkKey:
    """Signs and reads links; `repr` shows nothing."""

    def __init__(self, secret: bytes) -> None:
        """From the 32 bytes of the approvals key."""
        info = b"tachograph console link"
        self._key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)

    def __repr__(self) -> str:
        return "LinkKey()"

    def sign(self, link: LocalLogin | DecisionLink) -> str:
        """As it stands in an address."""
        text = canonical_json(link.model_dump(mode="json"))
        return f"{_encode(text)}.{_encode(self._mac(text))}"

    def read(self, told: str, kind: type[L], *, now_ms: int) -> L:
        """The link, if it is ours, of this kind and still good; raises `Forbidden`."""
        text, mac = _parts(told)
        if not hmac.compare_digest(mac, self._mac(text)):
            raise Forbidden("This link is not one of this console's.")
        try:
            link = kind.model_validate(_loads(text))
        except ValidationError:
            raise Forbidden("This link is for something else.") from None
        if now_ms >= link.until_ms:
            raise Forbidden("This link is no longer good.")
        return link

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _parts(told: str) -> tuple[bytes, bytes]:
    text, _, mac = told[: MAX_LINK + 1].partition(".")
    try:
        found = tuple(base64.b64decode(_padded(part), altchars=b"-_", validate=True) for part in (text, mac))
    except (ValueError, binascii.Error):
        raise Forbidden("This link is damaged.") from None
    return found[0], found[1]


def _padded(part: str) -> bytes:
    return part.encode("ascii") + b"=" * (-len(part) % 4)


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
