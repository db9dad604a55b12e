"""A model's answer goes wrong in one way only: it cannot be read."""

from __future__ import annotations

from tachograph.ingress.llm.errors import TooLong, Unreadable


def test_what_is_too_long_is_unreadable() -> None:
    """Whoever catches the one catches the other."""
    assert issubclass(TooLong, Unreadable)
