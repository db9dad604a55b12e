"""Read what is hidden in plain strings: one layer of escapes, unseen characters, percent codes, entities,
base64 or hex at a time.

`layers` gives the text, then the text with one layer undone in place, and so on until nothing changes.
Context stays around every decoded piece, so a rule that wants a name before a value finds both.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from html import unescape
from itertools import chain
from operator import attrgetter
from typing import Any

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Deadline, Limits
from tachograph.processors.masking.packed import inflated
from tachograph.processors.masking.unseen import unseen
from tachograph.processors.masking.views import DecodedView, Edit, Run, View

_SIMPLE = {b"\\" + name: plain for name, plain in zip(
    (b"n", b"t", b"r", b"b", b"f", b'"', b"'", b"\\", b"/", b"`", b"$"),
    (b"\n", b"\t", b"\r", b"\b", b"\f", b'"', b"'", b"\\", b"/", b"`", b"$"),
    strict=True,
)}  # fmt: skip
_BACKSLASH = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}"
    rb"|x[0-9a-fA-F]{2}|[ntrbf\"'\\/`$])"
)
_AT_BACKSLASH = re.compile(rb"(" + _BACKSLASH.pattern + rb")")
_LONGEST = 12
"""Bytes of the longest escape, two surrogates."""
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+")
_ENTITY = re.compile(rb"&(?:amp|lt|gt|quot|apos|nbsp|shy|zwn?j|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_RUN = re2.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(rb"[0-9a-fA-F]{20,}")
_ASCII = rb"[\x20-\x7e\t\r\n]"
_STEERING = rb"\x1b(?:(?=\[)|\][\x20-\x7e]{0,64}\x07)"
_WIDE = _STEERING + rb"|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_PRINTABLE = re.compile(
    rb"(?:%b{10,}+|(?:%b|%b){10,}+)(?:%b++|%b)*+" % (_ASCII, _ASCII, _WIDE, _ASCII, _WIDE)
)
"""Ten letters of UTF-8 or more, colours of a terminal among them."""
_UTF16 = re.compile(rb"(?:[\x20-\x7e\t\r\n]\0){10,}+|(?:\0[\x20-\x7e\t\r\n]){10,}+")
"""The same of ASCII in UTF-16, as Windows encodes a command."""
_LEAST_WIDE = 10
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_FOLD = re.compile(rb"\r?\n[ \t]{0,8}\Z")
_START = attrgetter("start")
_Escapes = tuple[tuple[bytes, Callable[[bytes], Iterator[Edit]]], ...]
_CHECK_EVERY = 4096
_RUN_BYTES = 16 * 1024
"""How much text is cut at its backslashes at a time."""
_PROBED = 1024 * 1024
"""A longer run of base64 or hex is decoded piece by piece: whole groups, so that no text is cut."""


def _unescaped(token: bytes) -> bytes:
    if token[1:2] == b"x":
        return chr(int(token[2:4], 16)).encode()
    if token[2:3] == b"{":
        code = int(token[3:-1], 16)
    elif len(token) == 12:
        code = 0x10000 + ((int(token[2:6], 16) & 0x3FF) << 10) + (int(token[8:12], 16) & 0x3FF)
    else:
        code = int(token[2:6], 16)
    return chr(code).encode("utf-8", "replace") if code < 0x110000 else b"?"


def _backslash_edits(text: bytes) -> Iterator[Edit]:
    for match in _BACKSLASH.finditer(text):
        token = match[0]
        yield Edit(match.start(), match.end(), _SIMPLE.get(token) or _unescaped(token))


def _has_backslashes(text: bytes) -> bool:
    return b"\\" in text and bool(_BACKSLASH.search(text))


def _backslash_runs(text: bytes) -> Iterator[Run]:
    """All of the text, cut at its escapes."""
    at = 0
    while at < len(text):
        end = _run_end(text, at)
        parts = _AT_BACKSLASH.split(text[at:end])
        yield parts, [_SIMPLE.get(token) or _unescaped(token) for token in parts[1::2]]
        at = end


def _run_end(text: bytes, start: int) -> int:
    """Where the text can be cut without cutting an escape."""
    end = start + _RUN_BYTES
    while end < len(text):
        last = text.rfind(b"\\", max(start, end - _LONGEST), end)
        if last < 0:
            return end
        end = last + _LONGEST + 1
        if end > start + 2 * _RUN_BYTES:  # nothing but backslashes: go from escape to escape
            near = (
                match.end() for match in _BACKSLASH.finditer(text, start) if match.end() >= start + _RUN_BYTES
            )
            return next(near, len(text))
    return len(text)


def _legible(raw: bytes) -> bytes:
    """The same, a question mark for each byte that is no UTF-8: patterns read letters and end at others."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape").encode("utf-8", "replace")
    return raw


def _percent_edits(text: bytes) -> Iterator[Edit]:
    for match in _PERCENT.finditer(text):
        raw = binascii.unhexlify(match[0].replace(b"%", b""))
        yield Edit(match.start(), match.end(), _legible(raw), unit=3, per=1)


def _entity_edits(text: bytes) -> Iterator[Edit]:
    for match in _ENTITY.finditer(text):
        plain = unescape(match[0].decode()).encode("utf-8", "replace")
        yield Edit(match.start(), match.end(), plain)


_PERCENTS = ((b"%", _percent_edits),)
_ENTITIES = ((b"&", _entity_edits),)
_BACKSLASHES = ((b"\\", _backslash_edits),)
_ESCAPES = (*_BACKSLASHES, *_PERCENTS, *_ENTITIES)


def _escape_edits(text: bytes, escapes: _Escapes = _ESCAPES) -> Iterator[Edit]:
    """These kinds of escape, in order; one that begins in another is left to the next layer."""
    kinds = [edits(text) for mark, edits in escapes if mark in text]
    if not kinds:
        return
    end = 0
    for edit in kinds[0] if len(kinds) == 1 else merge(*kinds, key=_START):
        if edit.start >= end:
            end = edit.end
            yield edit


def _unbase64(body: bytes) -> bytes:
    """The bytes that this means as base64, b"" where it means none."""
    body = body.translate(_URLSAFE)
    body = body[: len(body) - (1 if len(body) % 4 == 1 else 0)]
    try:
        return base64.b64decode(body + b"=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return b""


def _base64_edits(text: bytes, start: int, stop: int) -> list[Edit]:
    """The readable pieces of a base64 run, whatever stands glued before it."""
    end = stop - text.count(b"=", max(start, stop - 2), stop)
    if text.count(b"A", start, end) >= _LEAST_WIDE and (wide := _wide_base64(text, start, stop)):
        return wide
    found: list[Edit] = []
    for at in range(start, end, _PROBED):  # as much at a time as memory asks for
        done = found[-1].end if found else 0
        found += (edit for edit in _best_base64(text, at, end) if edit.start >= done)
    if found and found[-1].end == end:
        last = found[-1]  # the padding belongs to the last group
        found[-1] = Edit(last.start, stop, last.text, last.unit, last.per)
    return found


def _wide_base64(text: bytes, start: int, stop: int) -> list[Edit]:
    """The pieces of UTF-16, begun at each of four places; every third of their digits or so is an A."""
    end = min(stop, start + _PROBED)
    tries = (
        _utf16_edits(_unbase64(text[low:end].rstrip(b"=")), (low, end), 4, 3)
        for low in range(start, start + 4)
    )
    return next(filter(None, tries), [])


def _best_base64(text: bytes, at: int, end: int) -> list[Edit]:
    """Of one stretch of a run, begun at each of four places: what is readable in the most readable."""
    best: list[Edit] = []
    covered = 0
    for low in range(at, at + 4):
        high = min(low + _PROBED, end)
        plain = _unbase64(text[low:high])
        pieces = _readable(plain)
        readable = sum(last - first for first, last in pieces)
        if readable > covered:
            covered = readable
            best = [_base64_edit(low, high - low, plain, piece) for piece in pieces]
    return best


def _readable(plain: bytes) -> list[tuple[int, int]]:
    """The printable stretches, widened to whole groups of three so that 4 source bytes stand for 3.

    One byte more on either side: the digits of what stays encoded must not touch what is read, or a rule sees
    no word begin there.
    """
    pieces: list[tuple[int, int]] = []
    for match in _PRINTABLE.finditer(plain):
        low, high = max(match.start() - 1, 0) // 3 * 3, min(len(plain), -(-(match.end() + 1) // 3) * 3)
        if pieces and low <= pieces[-1][1]:
            low = pieces.pop()[0]
        pieces.append((low, high))
    return pieces


def _base64_edit(start: int, length: int, plain: bytes, piece: tuple[int, int]) -> Edit:
    low, high = piece
    end = start + (length if high == len(plain) else high // 3 * 4)
    return Edit(start + low // 3 * 4, end, _legible(plain[low:high]), unit=4, per=3)


def _utf16_edits(plain: bytes, place: tuple[int, int], unit: int, per: int) -> list[Edit]:
    """The stretches of UTF-16 in bytes of which each `per` stand in `unit` bytes of the source at this place.

    An edit begins and ends with a whole unit and a whole letter; what is no ASCII there is a question mark.
    """
    if plain.count(b"\0") < _LEAST_WIDE:
        return []
    start, stop = place
    edits = []
    for match in _UTF16.finditer(plain):
        low = match.start() - (match.start() - match.start() % 2 * per) % (2 * per)
        low += 2 * per if low < 0 else 0
        groups = -(-(match.end() - low) // (2 * per))
        first = start + low // per * unit
        letters = _narrow(plain[low : low + groups * 2 * per])
        edits.append(Edit(first, min(first + groups * 2 * unit, stop), letters, unit=2 * unit, per=per))
    return edits


def _narrow(pairs: bytes) -> bytes:
    """A letter for each two bytes of which one is NUL, and the other is ASCII."""
    return bytes(
        max(pair) if min(pair) == 0 and max(pair) < 0x7F else ord("?")
        for pair in zip(pairs[::2], pairs[1::2], strict=False)
    )


def _hex_edits(text: bytes, start: int, stop: int) -> list[Edit]:
    """The readable pieces of the hex digits in a run."""
    edits = []
    for digits in _HEX.finditer(text, start, stop):
        low, end = digits.span()
        for at in range(low, end - 1, _PROBED):
            high = min(at + _PROBED, end)
            plain = binascii.unhexlify(text[at : high - (high - at) % 2])
            edits += _utf16_edits(plain, (at, at + 2 * len(plain)), 2, 1) or [
                Edit(at + 2 * a, at + 2 * b, _legible(plain[a:b]), unit=2, per=1) for a, b in _bounded(plain)
            ]
    return edits


def _bounded(plain: bytes) -> Iterator[tuple[int, int]]:
    """The printable stretches with the byte on either side, for the reason that `_readable` has."""
    done = 0
    for match in _PRINTABLE.finditer(plain):
        start, done = max(match.start() - 1, done), min(match.end() + 1, len(plain))
        yield start, done


def _packed_edits(text: bytes, start: int, stop: int) -> list[Edit]:
    """All of a run that is raw deflate, in base64 or in hex."""
    run = text[start:stop].rstrip(b"=")
    if _HEX.fullmatch(run):
        plain = inflated(binascii.unhexlify(run[: len(run) // 2 * 2]))
    elif run.lower() != run != run.upper():
        plain = inflated(_unbase64(run))
    else:
        return []
    return [Edit(start, stop, _legible(plain))] if plain else []


def _run_edits(text: bytes, start: int, stop: int) -> list[Edit]:
    found = _packed_edits(text, start, stop) or _hex_edits(text, start, stop)
    return found or [edit for edit in _base64_edits(text, start, stop) if edit.end > edit.start]


def _encoded_edits(text: bytes) -> Iterator[Edit]:
    """Decoded base64 and hex runs."""
    match: Any
    end = 0
    for match in _RUN.finditer(text):
        start, stop = match.span()
        found = _run_edits(text, start, stop)
        if found and end and _FOLD.match(text, end, found[0].start):
            yield Edit(end, found[0].start, b"")  # a folded line: read on without the break
        for edit in found:
            end = edit.end
            yield edit


def _edits(text: bytes) -> Iterator[Edit]:
    """The next layer of a text without backslashes: what nobody sees, else percent codes, else entities, else
    encoded runs.

    Never two at once: what is plain only once its escapes are undone must be looked at before it is decoded,
    and `%0A` or `&lt;` in a value must not end it before the string around it was read.
    """
    for edits in (unseen(text), _escape_edits(text, _PERCENTS), _escape_edits(text, _ENTITIES)):
        first = next(edits, None)
        if first is not None:
            return chain((first,), edits)
    return _encoded_edits(text)


@dataclass(slots=True)
class _Spent:
    """What the layers of one text have taken so far."""

    limits: Limits
    deadline: Deadline
    edits: int = 0
    bytes: int = 0
    inflated: int = 0

    def counted(self, edits: Iterator[Edit]) -> Iterator[Edit]:
        for edit in edits:
            self.edits += 1
            if self.edits > self.limits.edits:
                raise Withheld("edit-limit")
            if self.edits % _CHECK_EVERY == 0:
                self.deadline.check()
            self.inflated += max(0, len(edit.text) - (edit.end - edit.start))
            if self.inflated > self.limits.inflated_bytes:
                raise Withheld("decode-limit")
            yield edit

    def counted_runs(self, runs: Iterator[Run]) -> Iterator[Run]:
        for run in runs:
            self.edits += len(run[1])
            if self.edits > self.limits.edits:
                raise Withheld("edit-limit")
            self.deadline.check()
            yield run


def _below(view: View, spent: _Spent) -> DecodedView | None:
    """The view with its next layer undone, None where there is none."""
    if _has_backslashes(view.text):
        return DecodedView(view, runs=spent.counted_runs(_backslash_runs(view.text)))
    edits = spent.counted(_edits(view.text))
    first = next(edits, None)
    return None if first is None else DecodedView(view, chain((first,), edits))


def layers(view: View, limits: Limits, deadline: Deadline) -> Iterator[View]:
    """The view and every layer under it; raises Withheld("depth") where they do not end within the limit.

    A view past `limits.kept_bytes` makes those before it forget their texts: use each before the next.
    """
    spent = _Spent(limits, deadline)
    for _ in range(limits.layers):
        yield view
        deadline.check()
        below = _below(view, spent)
        if below is None:
            return
        upper, view = view, below
        spent.bytes += len(view.text)
        if spent.bytes > limits.kept_bytes and isinstance(upper, DecodedView):
            upper.forget()
    raise Withheld("depth")


def plain(value: bytes) -> bytes:
    """The value with one layer of escapes undone, whatever their kind: how a field's raw text reads."""
    return _undone(value, _ESCAPES)


def unescaped(value: bytes) -> bytes:
    """The value with its backslashes undone and no more: how a JSON string reads."""
    return _undone(value, _BACKSLASHES)


def _undone(value: bytes, escapes: _Escapes) -> bytes:
    out, last = [], 0
    for edit in _escape_edits(value, escapes):
        out += [value[last : edit.start], edit.text]
        last = edit.end
    return b"".join([*out, value[last:]])
