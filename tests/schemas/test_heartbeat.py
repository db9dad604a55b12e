"""Certificates and heartbeats as models: one byte form, and nothing else is taken."""

import base64
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from tachograph.schemas.heartbeat import (
    MAX_ENDED,
    MAX_NAMED,
    BootCertificate,
    Heartbeat,
    boot_text,
    gateway_name,
    gateway_session,
    signed_by,
)

BOOT = "00000000-0000-4000-8000-000000000007"
KEY = base64.b64encode(bytes(32)).decode()
AT = "2026-11-23T06:00:00.000000000Z"
STRAND = {"session": BOOT, "epoch": BOOT, "records": 1, "head": "a" * 64, "open": True}
BEAT: dict[str, Any] = {"boot": BOOT, "number": 0, "at": AT, "strands": [STRAND], "last": True}


def test_a_certificate_has_one_text() -> None:
    """The same from the model and from a document's fields."""
    fields = {"boot": BOOT, "key": KEY, "issued": AT, "previous": None}
    assert BootCertificate.model_validate(fields).text() == boot_text(fields)
    assert boot_text(fields).startswith("tachograph/boot/v1\n")
    assert boot_text(fields) != boot_text(fields | {"previous": BOOT})


@pytest.mark.parametrize(
    "change",
    [
        {"strands": [STRAND] * (MAX_NAMED + 1)},
        {"strands": [STRAND | {"records": 0}]},
        {"strands": [STRAND | {"head": "A" * 64}]},
        {"strands": [STRAND | {"open": 1}]},
        {"number": -1},
        {"number": 1.0},
        {"boot": BOOT.upper().replace("0", "A")},
        {"at": "2026-11-23"},
        {"at": AT.replace("0", "\u0660")},
        {"more": 1},
    ],
)
def test_what_is_no_heartbeat_is_refused(change: dict[str, Any]) -> None:
    """Bounds, types and unknown fields."""
    Heartbeat.model_validate(BEAT)
    with pytest.raises(ValidationError):
        Heartbeat.model_validate(BEAT | change)


def test_a_certificate_names_boots_that_are_over_or_nobody() -> None:
    """Nobody is left out, so that certificates from before there was this keep their one form."""
    fields = {"boot": BOOT, "key": KEY, "issued": AT, "previous": None}
    assert BootCertificate.model_validate(fields).model_dump(mode="json") == fields
    more = fields | {"ended": [BOOT]}
    assert BootCertificate.model_validate(more).model_dump(mode="json") == more
    assert BootCertificate.model_validate(more).text() == boot_text(more)
    for ended in ([], [BOOT] * (MAX_ENDED + 1), ["nobody"], BOOT):
        with pytest.raises(ValidationError):
            BootCertificate.model_validate(fields | {"ended": ended})


@pytest.mark.parametrize("key", ["", "AAAA", KEY[:-1], KEY.replace("=", ""), KEY[:-2] + "B="])
def test_a_key_has_one_writing(key: str) -> None:
    """Base64 of 32 bytes without spare bits."""
    with pytest.raises(ValidationError):
        BootCertificate.model_validate({"boot": BOOT, "key": key, "issued": AT})


def test_a_signature_is_checked_without_raising() -> None:
    """Good, of another message, and no signature at all."""
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    key = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    signature = base64.b64encode(private.sign(b"said")).decode()
    assert signed_by(key, signature, b"said")
    assert not signed_by(key, signature, b"else")
    assert not signed_by(key, "", b"said")
    for odd in (signature + "==", signature[:40] + "\n" + signature[40:]):
        assert not signed_by(key, odd, b"said")


def test_a_boot_names_its_session_and_a_deployment_its_key() -> None:
    """Both follow from what they are of."""
    assert gateway_session(uuid.UUID(BOOT)) == gateway_session(uuid.UUID(BOOT))
    assert gateway_session(uuid.UUID(BOOT)).version == 5
    assert gateway_name("tacho") == "tachograph/tacho/gateway"
