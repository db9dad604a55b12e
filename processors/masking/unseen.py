"""What stands inside a word and is no part of it for who reads it: taken out, so that the word is read whole.

Zero-width characters and combining marks between letters of ASCII; what steers a terminal (ECMA-48); the soft
line breaks and codes of quoted-printable (RFC 2045 6.7); a line continued by a backslash; a string added to a
string; an element of mark-up that holds nothing. Nothing here says that there is a secret: it only gives the
next layer a text without these.
"""

import binascii
from collections.abc import Callable, Iterator
from heapq import merge
from operator import attrgetter
from typing import Any

import re2

from tachograph.processors.masking.views import Edit

_NAME_REACH = 80
"""How far before a line's end its begin is looked for, to see a name without a value."""
_PIECE = 4
"""Letters, digits and marks of base64 on either side of what joins two strings or lines."""

_MARK = (
    "[\u00ad\u0300-\u036f\u061c\u115f\u1160\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
).encode()
_TERMINAL = rb"(?:\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][ -~]{0,256}(?:\x07|\x1b\\)|[()][AB012]))+"
_SOFT = rb"=[ \t]{0,8}\r?\n"
_CODE = rb"=[0-9A-Fa-f]{2}"
_CONTINUED = rb"\\\r?\n[ \t]{0,64}"
_ADDED = rb"\"[ \t]{0,8}\+\s{0,64}\"|'[ \t]{0,8}\+\s{0,64}'|`[ \t]{0,8}\+\s{0,64}`"
_EMPTY = rb"<[A-Za-z]{1,10}></[A-Za-z]{1,10}>|<wbr ?/?>|<!--[ -,.-~]{0,64}-->"
_SPOKEN = rb"(?i:quoted-printable)"

_told: Any = re2.compile(_SPOKEN)
_no_value: Any = re2.compile(rb"(?:^|\n)[ \t]*(?:export[ \t]+|set[ \t]+)?(?:[A-Z][A-Z0-9_]*|[a-z][a-z_.-]*)$")
_next_name: Any = re2.compile(rb"(?:(?:export|set)[ \t]+)?[\w.-]{1,64}[ \t]*[=:]|[#;\[]")
_next_pair: Any = re2.compile(rb"(?:(?:export|set)[ \t]+)?[\w.-]{1,64}[ \t]*[=:][ \t]*[^\s=]")
_start = attrgetter("start")

_Accepts = Callable[[bytes, int, int], bool]


def _graphic(text: bytes, start: int, end: int) -> bool:
    """Between letters of ASCII: elsewhere a mark belongs to a script or a picture."""
    return start > 0 and end < len(text) and 0x21 <= text[start - 1] <= 0x7E and 0x21 <= text[end] <= 0x7E


def _in_word(text: bytes, start: int, end: int) -> bool:
    """Between pieces that a secret may be made of: `'1' + '0'` in source is none, and a layer costs time."""
    before, after = text[max(0, start - _PIECE) : start], text[end : end + _PIECE]
    return len(before) == len(after) == _PIECE and _LETTERS.issuperset(before + after)


def _anywhere(text: bytes, start: int, end: int) -> bool:
    del text, start, end
    return True


def _in_line(text: bytes, start: int, end: int) -> bool:
    """Whether a line that ends with `=` goes on in the next: not where a pair or a header follows, nor where
    both are names without a value.
    """
    if not _graphic(text, start, end) or text[start - 1] == 0x3D or _next_pair.match(text, end):
        return False
    if not _next_name.match(text, end):
        return True
    return not _no_value.search(text[max(0, start - _NAME_REACH) : start])


_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+/=.-")
_KINDS: tuple[tuple[bytes, _Accepts], ...] = (
    (_MARK, _graphic),
    (_TERMINAL, _anywhere),
    (_CONTINUED, _in_word),
    (_ADDED, _in_word),
    (_EMPTY, _in_word),
)
_kinds = [(re2.compile(pattern), accepts) for pattern, accepts in _KINDS]
_soft: Any = re2.compile(_SOFT)
_codes: Any = re2.compile(rb"(?:" + _CODE + rb")+")
_many_codes: Any = re2.compile(rb"(?:" + _CODE + rb"){4,}")
_gate: Any = re2.compile(
    b"|".join((*(pattern for pattern, _ in _KINDS), _SOFT, _SPOKEN, rb"(?:" + _CODE + rb"){4}"))
)
"""Most texts have none of it: one pass says so."""


def unseen(text: bytes) -> Iterator[Edit]:
    """The edits that take all of it out of one text, in order and not overlapping."""
    if not _gate.search(text):
        return
    told = bool(_told.search(text))
    kinds = [_gone(text, *kind) for kind in _kinds]
    end = 0
    kinds += [_gone(text, _soft, _anywhere if told else _in_line), _coded(text, told=told)]
    for edit in merge(*kinds, key=_start):
        if edit.start >= end:
            end = edit.end
            yield edit


def _gone(text: bytes, pattern: Any, accepts: _Accepts) -> Iterator[Edit]:
    for match in pattern.finditer(text):
        start, end = match.span()
        if accepts(text, start, end):
            yield Edit(start, end, b"")


def _coded(text: bytes, *, told: bool) -> Iterator[Edit]:
    """One code is enough where the text says what it is; else `a=20` is a pair, four in a row are codes."""
    for match in (_codes if told else _many_codes).finditer(text):
        raw = binascii.unhexlify(match[0].replace(b"=", b""))
        # What is no UTF-8 keeps its length: three bytes of the source for each.
        plain = raw if _is_text(raw) else bytes(byte if byte < 0x80 else 0x3F for byte in raw)
        yield Edit(match.start(), match.end(), plain, unit=3, per=1)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
