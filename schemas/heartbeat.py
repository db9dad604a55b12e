"""What a gateway says of itself: the certificate of a boot's key, and signed heartbeats of its strands.

A boot is one process from its start to its end. Its key exists in its memory only and is certified by the
deployment's long-term key, in the first record of the boot's own strand. Every heartbeat lists the strands
that were open or closed since the one before it, so that a lost tail shows, and a strand lost as a whole.
docs/spec/chain.md has both byte by byte.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from tachograph.schemas.canonical import canonical_json, sha256_hex

__all__ = [
    "MAX_ENDED",
    "MAX_NAMED",
    "BootCertificate",
    "Heartbeat",
    "StrandState",
    "boot_text",
    "gateway_name",
    "gateway_session",
    "heartbeat_message",
    "signed_by",
]

MAX_NAMED = 500
"""Strands in one heartbeat record; where there are more, further records follow at once."""
MAX_ENDED = 100
"""Boots that one certificate says have ended."""
_SESSIONS = uuid.UUID("d8c5f0a2-0c0b-5b6e-9d53-4f1f4f1a7c52")
_DOMAIN = b"tachograph/heartbeat/v1\n"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64


def _base64_of(size: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(_decoded(text)) != size:
            raise ValueError(f"expected base64 of {size} bytes")
        return text

    return AfterValidator(check)


def _decoded(text: str) -> bytes:
    """What it is base64 of; nothing where it is not the one writing of that."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if base64.b64encode(data).decode() == text else b""


Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{9}Z$")
]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
PublicKey = Annotated[str, _base64_of(_KEY_BYTES)]
Signature = Annotated[str, _base64_of(_SIGNATURE_BYTES)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BootCertificate(_Wire):
    """One boot and its key (Ed25519, base64); `previous` is the boot that used the same spool before it."""

    boot: Uuid
    key: PublicKey
    issued: Time
    previous: Uuid | None = None
    ended: Annotated[tuple[Uuid, ...], Field(min_length=1, max_length=MAX_ENDED, strict=False)] | None = None
    """Boots whose processes had ended, and whose spools it took over; left out where there is none."""

    @model_serializer(mode="wrap")
    def _without_nobody(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        if self.ended is None:
            said.pop("ended", None)  # gone already where what is not set is left out
        return said

    def text(self) -> str:
        """What the deployment's long-term key signs, as a note."""
        return boot_text(self.model_dump(mode="json"))


class StrandState(_Wire):
    """How many records a strand has, and the hash of the last one's header."""

    session: Uuid
    epoch: Uuid
    records: Annotated[int, Field(ge=1, lt=2**53)]
    head: Hex64
    open: bool


class Heartbeat(_Wire):
    """One heartbeat record; `last` is false where another of the same beat follows."""

    boot: Uuid
    number: Count
    at: Time
    strands: Annotated[tuple[StrandState, ...], Field(max_length=MAX_NAMED, strict=False)]
    last: bool


def boot_text(certificate: Mapping[str, Any]) -> str:
    """The text of the note that certifies a boot, from the certificate's fields."""
    return f"tachograph/boot/v1\n{sha256_hex(canonical_json(dict(certificate)))}\n"


def heartbeat_message(canonical: bytes) -> bytes:
    """What the boot's key signs, from a heartbeat's canonical JSON."""
    return _DOMAIN + canonical


def signed_by(key: str, signature: str, message: bytes) -> bool:
    """Whether the holder of this key has signed this message. Both are base64 in its one writing."""
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key)).verify(_decoded(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def gateway_session(boot: uuid.UUID) -> uuid.UUID:
    """The session of the boot's own strand."""
    return uuid.uuid5(_SESSIONS, str(boot))


def gateway_name(topic_prefix: str) -> str:
    """The name under which a deployment's long-term key signs."""
    return f"tachograph/{topic_prefix}/gateway"
