"""One secret as it was read: its text, those before it, its version. Nothing of it shows in a repr."""

from __future__ import annotations

from dataclasses import dataclass

from tachograph.credentials.errors import SecretUnreadable

__all__ = ["MAX_SECRET_BYTES", "Secret", "decoded"]

MAX_SECRET_BYTES = 16 * 1024
"""Enough for a certificate's chain and key."""
_PEM = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class Secret:
    """`earlier` values are used no longer, and must stay hidden wherever they turn up."""

    text: str
    version: str = ""
    """What its place calls this value, where it calls it anything; it may be shown."""
    earlier: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Secret(version={self.version!r})"


def decoded(data: bytes | str, where: str) -> str:
    """The secret in what was read, without white space around it: one line of printable ASCII, or PEM.

    Raises `SecretUnreadable`, which names `where` and nothing of the content.
    """
    if len(data) > MAX_SECRET_BYTES:
        raise SecretUnreadable(f"{where}: expected at most {MAX_SECRET_BYTES} bytes")
    text = (data.decode("latin-1") if isinstance(data, bytes) else data).strip()
    if not text:
        raise SecretUnreadable(f"{where} is empty")
    lines = text.splitlines() if text.startswith(_PEM) else [text]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise SecretUnreadable(f"{where} holds something else than one line of printable ASCII, or PEM")
    return text
