"""Write markers into the content: what was JSON stays JSON, line by line in streams, and nothing else moves.

Inside a string a marker needs no escape. A number becomes a string. A range that runs over quotes and commas
is cut into what lies in each string, because only strings and numbers carry values.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tachograph.processors.masking.views import Range
from tachograph.processors.masking.wellformed import is_json

Shape = Literal["json", "lines", "plain"]
"""One JSON document, one JSON document a line (NDJSON, or SSE behind `data:`), or neither."""

_STRING = re.compile(rb'"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"', re.DOTALL)
_NUMBER = re.compile(rb"[-+]?[0-9][0-9.eE+-]*")


@dataclass(frozen=True, slots=True)
class Patch:
    """content[start:end] becomes `marker`; `quote`, if set, is put on both sides (a bare number inside a
    string).
    """

    start: int
    end: int
    marker: bytes
    quote: bytes = b""


def _written(text: bytes, patches: Sequence[Patch]) -> bytes:
    out, last = [], 0
    for patch in patches:
        out += [text[last : patch.start], patch.quote, patch.marker, patch.quote]
        last = patch.end
    out.append(text[last:])
    return b"".join(out)


def _gap_numbers(text: bytes, low: int, high: int, patch: Patch) -> Iterator[Patch]:
    """Whole numbers between strings at [low, high) that the patch touches."""
    for number in _NUMBER.finditer(text, low, high):
        if number.start() < patch.end and number.end() > patch.start:
            yield Patch(number.start(), number.end(), patch.marker, b'"')


def _fitted(text: bytes, strings: Sequence[Range], starts: Sequence[int], patch: Patch) -> list[Patch]:
    """The patch, cut and widened to whole JSON values."""
    index = bisect_right(starts, patch.start) - 1
    if index >= 0 and patch.end <= strings[index][1]:
        return [Patch(patch.start, patch.end, patch.marker, patch.quote)]
    pieces: list[Patch] = []
    index = max(index, 0)
    gap = 0 if index == 0 else strings[index - 1][1] + 1
    while index < len(strings) and strings[index][0] - 1 < patch.end:
        low, high = strings[index]
        pieces += _gap_numbers(text, gap, low - 1, patch)
        start, end = max(low, patch.start), min(high, patch.end)
        if start < end:
            pieces.append(Patch(start, end, patch.marker))
        gap = high + 1
        index += 1
    stop = strings[index][0] - 1 if index < len(strings) else len(text)
    return pieces + list(_gap_numbers(text, gap, stop, patch))


def _json_spliced(text: bytes, patches: Sequence[Patch]) -> bytes | None:
    """The JSON text with its patches, None if it would not be JSON any more."""
    strings = [match.span(1) for match in _STRING.finditer(text)]
    starts = [start for start, _ in strings]
    fitted: list[Patch] = []
    for patch in patches:
        for piece in _fitted(text, strings, starts, patch):
            if fitted and piece.start < fitted[-1].end:  # two patches widened to the same number
                continue
            fitted.append(piece)
    written = _written(text, fitted)
    return written if is_json(written) else None


def _line_ranges(content: bytes, patches: Sequence[Patch]) -> Iterator[tuple[int, int, list[Patch]]]:
    """Each line that holds patches, and its patches cut to it."""
    lines: dict[int, tuple[int, list[Patch]]] = {}
    for patch in patches:
        start = patch.start
        while start < patch.end:
            low = content.rfind(b"\n", 0, start) + 1
            newline = content.find(b"\n", start)
            high = len(content) if newline < 0 else newline
            if start < min(high, patch.end):
                piece = Patch(start, min(high, patch.end), patch.marker, patch.quote)
                lines.setdefault(low, (high, []))[1].append(piece)
            start = high + 1
    for low, (high, pieces) in sorted(lines.items()):
        yield low, high, pieces


def _lines_spliced(content: bytes, patches: Sequence[Patch]) -> bytes | None:
    out, last = [], 0
    for low, high, pieces in _line_ranges(content, patches):
        data = low + (5 if content[low : low + 5] == b"data:" else 0)
        line = content[data:high]
        local = [
            Patch(max(0, p.start - data), p.end - data, p.marker, p.quote) for p in pieces if p.end > data
        ]
        done = _json_spliced(line, local) if is_json(line) else _written(line, local)
        if done is None:
            return None
        out += [content[last:data], done]
        last = high
    out.append(content[last:])
    return b"".join(out)


def spliced(content: bytes, patches: Sequence[Patch], shape: Shape) -> bytes | None:
    """The content with its patches (in order, not overlapping); None if its shape would break."""
    if not patches:
        return content
    if shape == "json":
        return _json_spliced(content, patches)
    if shape == "lines":
        return _lines_spliced(content, patches)
    return _written(content, patches)
