"""Cuts Cedar text into its policies, each with the line where it begins.

Cedar's parser names no line, and one error hides the rest. So a file is cut at the semicolons that stand
outside strings and comments, and each piece is parsed by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Statement", "statements"]

# Cedar grammar: STR with backslash escapes; comments run from `//` to the end of the line.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|//[^\r\n]*|;|\s+|[^\s";/]+|/', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of one policy, from its first annotation to its semicolon."""

    line: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """The policies of a file in order. What follows the last semicolon is one more, if it is not blank."""
    start: int | None = None
    for match in _TOKEN.finditer(text):
        piece = match[0]
        blank = piece.isspace() or piece.startswith("//")
        if start is None and not blank:
            start = match.start()
        if piece == ";" and start is not None:
            yield _statement(text, start, match.end())
            start = None
    if start is not None:
        yield _statement(text, start, len(text))


def _statement(text: str, start: int, end: int) -> Statement:
    return Statement(text.count("\n", 0, start) + 1, text[start:end])
