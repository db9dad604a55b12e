"""Every message of the masked topic becomes something the log can take, whatever its headers say."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest

from tachograph.processors.sealing.reading import taken

Headers = list[tuple[str, bytes | None]]
UID, SESSION = uuid.UUID(int=1), uuid.UUID(int=2)


@dataclass
class _Message:
    said: list[tuple[str, bytes | None]] | None
    kept: bytes | None = None

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.said

    def key(self) -> bytes | None:
        return self.kept

    def value(self) -> bytes:
        return b"{}"

    def offset(self) -> int:
        return 4


def test_identity_comes_from_the_headers() -> None:
    """uid, type and day as the processor wrote them, the session from the key, the bytes as they are."""
    said: Headers = [("uid", str(UID).encode()), ("type", b"session.open"), ("day", b"2026.01.02")]
    found = taken(_Message(said, str(SESSION).encode()))
    assert (found.uid, found.session, found.type, found.day) == (UID, SESSION, "session.open", "2026.01.02")
    assert (found.offset, found.value) == (4, b"{}")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (None, None),
        ([("uid", None)], b""),
        ([("uid", b"\xff" * 40), ("type", b"A B"), ("day", b"today")], b"x" * 100),
        ([("uid", str(UID).upper().encode() + b" "), ("type", b"t" * 65), ("day", b"2026-01-02")], b"{}"),
    ],
)
def test_a_stranger_is_sealed_too(said: list[tuple[str, bytes | None]] | None, key: bytes | None) -> None:
    """What does not say what it is still becomes a leaf, without an identity."""
    found = taken(_Message(said, key))
    assert (found.uid, found.session, found.type, found.day) == (None, None, "unknown", None)
