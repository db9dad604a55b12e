"""A value masked anywhere in a record is masked everywhere in it, in its encoded forms too.

Strings are decoded layer by layer before this looks (see `layers`), so most encoded forms are plain here;
base64 and hex of a value between other bytes are looked for by their own spelling.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import ahocorasick_rs

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.validators import random_like, shuffled

MIN_VALUE = 6
"""Shorter values would be found in every text."""
FREE_STANDING = 12
"""Values below this size count only where no letter or digit touches them."""
MIN_ENCODED = 8
MAX_ENCODED = 1024
"""Larger values are looked for as they are, not in base64 and hex between other bytes."""
MAX_VALUE = 64 * 1024
"""Larger ones (whole documents under a secret name) are masked where they stand and not looked for."""
MAX_NEEDLE_BYTES = 8 * 1024 * 1024
"""Spellings of all values of one record together."""
BATCH_BYTES = 256 * 1024
"""Spellings looked for in one pass: what finds them takes 45 times their size while it is made."""
_STEP = 256 * 1024
MAX_PARTS = 64
"""Parts of one value that are looked for by themselves."""
_COMPOUND = re.compile(rb"[\s;,=&\"]")
_DATE = re.compile(rb"(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]")
_PART = re.compile(rb"[^\s;,=&\"']{10,}")
_COMMON = frozenset({
    b"string", b"number", b"object", b"default", b"bearer", b"session", b"cookie", b"password", b"secret",
    b"public", b"private", b"unknown", b"example", b"localhost", b"application", b"undefined", b"integer",
    b"boolean",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Needle:
    """A value to look for and what it is called where it is found."""

    rule: str
    type: str
    value: bytes = field(repr=False)
    shown: bytes = field(repr=False)
    """The plain value: equal pseudonyms for every spelling."""
    always: bool = False
    priority: int = 0
    """That of the finding it comes from, so that a value is called the same everywhere."""


def spellings(value: bytes) -> Iterator[bytes]:
    """base64 of the value at each of its three alignments (whole groups only) and its hex."""
    for lead in range(3):
        groups = base64.b64encode(b"\0" * lead + value)
        first = -(-lead * 4 // 3) if lead else 0
        last = len(value) + lead
        inner = groups[first : last // 3 * 4]
        if len(inner) >= MIN_ENCODED:
            yield inner
            if inner.translate(None, b"+/") != inner:
                yield inner.replace(b"+", b"-").replace(b"/", b"_")
    yield value.hex().encode()
    yield value.hex().upper().encode()


def needles(
    rule: str, kind: str, value: bytes, *, always: bool = False, priority: int = 0
) -> Iterator[Needle]:
    """What to look for so that this value is found again."""
    if not always and (len(value) < MIN_VALUE or value.lower() in _COMMON or value.isspace()):
        return
    if len(value) > MAX_VALUE:
        return
    yield Needle(rule, kind, value, value, always, priority)
    if MIN_ENCODED <= len(value) <= MAX_ENCODED:
        for spelling in dict.fromkeys(spellings(value)):
            yield Needle(rule, kind, spelling, value, always=True, priority=priority)


def components(value: bytes) -> list[bytes]:
    """What looks drawn at random in a value made of several: a cookie's values, a digest's, a signature."""
    if len(value) > MAX_ENCODED or not _COMPOUND.search(value):
        return []
    found = _PART.findall(value)[:MAX_PARTS]
    drawn = (one for one in found if random_like(one) or _is_mixed(one))
    return [one for one in drawn if len(one) < len(value) - 2 and not _DATE.match(one)]


def _is_mixed(value: bytes) -> bool:
    """Upper and lower case and digits, in no word's length: no date, no number, no language."""
    return len(value) >= FREE_STANDING and shuffled(value)


def haystacks(wanted: Iterable[Needle], limits: Limits) -> Iterator["Haystack"]:
    """What finds these values, in as many passes as memory asks for; raises Withheld("propagation-limit")."""
    batch: list[Needle] = []
    size = count = total = 0
    for needle in wanted:
        batch.append(needle)
        size += len(needle.value)
        count, total = count + 1, total + len(needle.value)
        if count > limits.needles or total > MAX_NEEDLE_BYTES:
            raise Withheld("propagation-limit")
        if size >= BATCH_BYTES:
            yield Haystack(batch, limits)
            batch, size = [], 0
    if batch:
        yield Haystack(batch, limits)


class Haystack:
    """Finds many values in one pass."""

    def __init__(self, wanted: Iterable[Needle], limits: Limits) -> None:
        unique: dict[bytes, Needle] = {}
        for needle in wanted:
            other = unique.get(needle.value)
            if other is None or _rank(needle) > _rank(other):
                unique[needle.value] = needle
        if len(unique) > limits.needles or sum(map(len, unique)) > MAX_NEEDLE_BYTES:
            raise Withheld("propagation-limit")
        self._needles = [unique[value] for value in sorted(unique)]
        self._search = _automaton([n.value for n in self._needles]) if unique else None
        self._reach = max(map(len, unique), default=1) - 1

    def __bool__(self) -> bool:
        return self._search is not None

    def find(self, text: bytes) -> Iterator[tuple[Needle, int, int]]:
        """Every place of every value."""
        if self._search is None or not text:
            return
        for at in range(0, len(text), _STEP):  # in pieces: a match is an object, and there may be millions
            piece = text[at : at + _STEP + self._reach] if len(text) > _STEP else text
            for index, low, high in self._search.find_matches_as_indexes(piece, overlapping=True):
                needle, start, end = self._needles[index], at + low, at + high
                if low >= _STEP:
                    continue  # the next piece's
                if needle.always or len(needle.value) >= FREE_STANDING or _free(text, start, end):
                    yield needle, start, end


def _automaton(values: list[bytes]) -> ahocorasick_rs.BytesAhoCorasick:
    """Built anew for every record; the contiguous kind is quick to build and to search."""
    kind = ahocorasick_rs.Implementation.ContiguousNFA
    return ahocorasick_rs.BytesAhoCorasick(values, implementation=kind)


def _rank(needle: Needle) -> tuple[int, bool, str, str]:
    return needle.priority, needle.always, needle.type, needle.rule


def _free(text: bytes, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() if start else False) and not text[end : end + 1].isalnum()
