"""What is wrong with a model's answer: the target's fault, always.

Unreadable      it cannot be read without doubt, so nothing more of it goes on
`-- TooLong     a tool call, or what holds one, is longer than may be kept back
"""

from __future__ import annotations

__all__ = ["TooLong", "Unreadable"]


class Unreadable(Exception):
    """The answer has no reading, or two. The text says what was expected, and repeats nothing of it."""


class TooLong(Unreadable):
    """What must be kept back until it was judged is longer than may be kept."""
