"""Whether what stands under a secret's name is a word of a program's source: `token = "link_open"`.

An agent that writes software sends source all day, and in source names like `token` and `key` are assigned
states, kinds and calls. There a plain word or an expression is no value; where people choose the value
(passwords, secrets), a quoted one is, whatever it is. Outside of source nothing changes.
"""

import re
from typing import Any

import re2

from tachograph.processors.masking.fields import Field, normal_name
from tachograph.processors.masking.validators import has_digit, random_like

BLOCK = 512
"""Source is told by the lines of the block around a place and of the two beside it."""
MIN_LINES = 2
"""One line that might be a statement is none: prose begins with "return" as well."""

_STATEMENT: Any = re2.compile(
    rb"(?m)^[ \t]*(?:(?:async )?def \w+\(|class \w+.*[:{]\r?$|return(?:$| \w+[.;(\r\n]|;)"
    rb"|import \w+(?:\.\w+)*\r?$|from [\w.]+ import |(?:el)?if .*[:{]\r?$|else:\r?$|for .* in .*:\r?$"
    rb"|while .*[:{]\r?$|try:\r?$|except\b.*:\r?$|with .* as \w+:\r?$|raise \w+|assert \w"
    rb"|(?:export )?(?:const|let|var) [\w{\[].*=|(?:export )?(?:default )?(?:async )?function\b.*[{(]"
    rb"|import .* from ['\"]|.*=>[ ]?\{\r?$|func [\w(].*\{"
    rb"|(?:pub(?:lic)?|private|protected|static) .*[({;]\r?$|(?:pub )?fn \w|#include |package [\w.]+;?\r?$"
    rb"|\}? ?else (?:if .*)?\{\r?$|if ?\(.*\) ?\{\r?$|self\.\w+ = |this\.\w+ = "
    rb"|@\w+(?:\.\w+)*(?:\(.*\))?\r?$)"
)
_WORD = re.compile(rb"[A-Za-z_][A-Za-z_.]*[,;:)\]]{0,4}")
_LOUD = re.compile(rb"[A-Z][A-Z0-9_]*=\Z")
_APART = re.compile(rb"[\s()\[\]{}<>,;]")
_QUOTES = (b'"', b"'", b"`")
_CHOSEN = ("pass", "pwd", "pw", "psk", "secret", "credential", "kennwort", "contrasena")
"""What a value is called that people think up, so that it may be any word."""
MIN_ODD = 6


class Program:
    """Tells words of a program from values in one text."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._blocks: dict[int, bool] = {}

    def is_source(self, at: int) -> bool:
        """Whether the lines around this place are those of a program."""
        block = at // BLOCK
        if block not in self._blocks:
            start = max(0, (block - 1) * BLOCK)
            around = self._text[start : (block + 2) * BLOCK]
            lines = 0
            for _ in _STATEMENT.finditer(around):
                lines += 1
                if lines >= MIN_LINES:
                    break
            self._blocks[block] = lines >= MIN_LINES
        return self._blocks[block]

    def is_bare_word(self, start: int, end: int) -> bool:
        """Whether letters without quotes in source are what stands there: no literal of any language."""
        before = self._text[max(0, start - 64) : start]
        return (
            bool(_WORD.fullmatch(self._text, start, end))
            and before[-1:] not in _QUOTES
            and not _LOUD.search(before)  # DB_PASSWORD=plum, as in an environment
            and self.is_source(start)
        )

    def is_word(self, found: Field) -> bool:
        """Whether this value under a secret's name is a word of the program."""
        if self._text[found.start - 1 : found.start] not in _QUOTES:
            return self.is_bare_word(found.start, found.end)
        name = normal_name(found.name)
        if any(part in name for part in _CHOSEN):
            return False
        return not _is_odd(self._text[found.start : found.end]) and self.is_source(found.start)


def _is_odd(value: bytes) -> bool:
    """Whether a quoted text may be a key: one piece, with digits or drawn at random."""
    if len(value) < MIN_ODD or _APART.search(value):
        return False
    return has_digit(value) or random_like(value)
