"""Write markers into the content: what was JSON stays JSON, line by line in streams, and nothing else moves.

Inside a string a marker needs no escape. A number becomes a string. A range that runs over quotes and commas
is cut into what lies in each string, because only strings and numbers carry values.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.views import Range
from tachograph.processors.masking.wellformed import is_json

Shape = Literal["json", "lines", "plain"]
"""One JSON document, one JSON document a line (NDJSON, or SSE behind `data:`), or neither."""

MAX_PIECES = 100_000
"""Strings and numbers of one JSON text that are replaced, where ranges run over several."""
_STRING = re.compile(rb'"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"', re.DOTALL)
_NUMBER = re.compile(rb"[-+]?[0-9][0-9.eE+-]*|true|false")


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


class _Strings:
    """The insides of a JSON text's strings, read on as far as asked and forgotten behind."""

    def __init__(self, text: bytes) -> None:
        self._more = _STRING.finditer(text)
        self.near: list[Range] = []
        """From the string before the last that begins at or before the place asked for."""

    def around(self, start: int, end: int) -> int:
        """Have `near` reach over [start, end); where in it the last lies that begins at or before `start`."""
        while not self.near or self.near[-1][0] - 1 < end:
            match = next(self._more, None)
            if match is None:
                break
            self.near.append(match.span(1))
            if len(self.near) > MAX_PIECES:
                raise Withheld("span-limit")
            if len(self.near) > 2 and self.near[2][0] <= start:
                del self.near[0]
        while len(self.near) > 2 and self.near[2][0] <= start:
            del self.near[0]
        return 1 if len(self.near) > 1 and self.near[1][0] <= start else 0


def _gap_numbers(text: bytes, low: int, high: int, patch: Patch) -> Iterator[Patch]:
    """Whole numbers and booleans between strings at [low, high) that the patch touches."""
    for number in _NUMBER.finditer(text, low, high):
        if number.start() < patch.end and number.end() > patch.start:
            yield Patch(number.start(), number.end(), patch.marker, b'"')


def _fitted(text: bytes, strings: _Strings, patch: Patch) -> Iterator[Patch]:
    """The patch, cut and widened to whole JSON values."""
    index, near = strings.around(patch.start, patch.end), strings.near
    if near and near[index][0] <= patch.start and patch.end <= near[index][1]:
        yield Patch(patch.start, patch.end, patch.marker, patch.quote)
        return
    gap = 0 if index == 0 else near[index - 1][1] + 1
    while index < len(near) and near[index][0] - 1 < patch.end:
        low, high = near[index]
        yield from _gap_numbers(text, gap, low - 1, patch)
        start, end = max(low, patch.start), min(high, patch.end)
        if start < end:
            yield Patch(start, end, patch.marker)
        gap = high + 1
        index += 1
    stop = near[index][0] - 1 if index < len(near) else len(text)
    yield from _gap_numbers(text, gap, stop, patch)


def _json_spliced(text: bytes, patches: Sequence[Patch]) -> bytes | None:
    """The JSON text with its patches, None if it would not be JSON any more."""
    strings = _Strings(text)
    fitted: list[Patch] = []
    for patch in patches:
        for piece in _fitted(text, strings, patch):
            if fitted and piece.start < fitted[-1].end:  # two patches widened to the same number
                continue
            fitted.append(piece)
            if len(fitted) > MAX_PIECES:
                raise Withheld("span-limit")
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
