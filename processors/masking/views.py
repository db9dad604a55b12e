"""A view is text to scan plus the way back: every byte range of it maps to the content's own byte ranges.

Detection never touches the content; it looks at views (decoded layers, joined stream pieces) and what it
finds is carried back here. A range that cuts through an escape or a base64 group covers the whole of it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import NamedTuple, Protocol

Range = tuple[int, int]


class View(Protocol):
    """Text and its way back to the content."""

    @property
    def text(self) -> bytes:
        """What is scanned."""
        ...

    def to_content(self, start: int, end: int) -> list[Range]:
        """The content's byte ranges behind text[start:end], in reading order."""
        ...


@dataclass(frozen=True, slots=True)
class ContentView:
    """The content itself."""

    text: bytes

    def to_content(self, start: int, end: int) -> list[Range]:
        """The range itself."""
        return [(start, end)]


class JoinedView:
    """Pieces of the content read as one text: the deltas of a stream, or headers as lines."""

    __slots__ = ("_sources", "_starts", "text")

    def __init__(self, content: bytes, pieces: Iterable[Range | bytes]) -> None:
        """`pieces` are content ranges, or bytes that stand for nothing in the content (a separator)."""
        out = BytesIO()
        self._starts, self._sources = array("I"), array("i")
        position = 0
        for piece in pieces:
            chunk = piece if isinstance(piece, bytes) else content[piece[0] : piece[1]]
            if chunk:
                self._starts.append(position)
                self._sources.append(-1 if isinstance(piece, bytes) else piece[0])
                position += out.write(chunk)
        self._starts.append(position)
        self.text = out.getvalue()

    def to_content(self, start: int, end: int) -> list[Range]:
        """One range for each piece that the text range touches; separators give none."""
        found = []
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._sources) and self._starts[index] < end:
            low, high = max(start, self._starts[index]), min(end, self._starts[index + 1])
            source = self._sources[index]
            if source >= 0 and low < high:
                shift = source - self._starts[index]
                found.append((low + shift, high + shift))
            index += 1
        return found


class Edit(NamedTuple):
    """Source bytes [start, end) read as `text`; `unit` of them stand for `per` text bytes (base64: 4 for 3).

    A unit of 0 is an escape: all of the source stands for all of the text. (A NamedTuple, as a body may hold
    millions.)
    """

    start: int
    end: int
    text: bytes
    unit: int = 0
    per: int = 0


Run = tuple[list[bytes], list[bytes]]
"""A stretch of text cut at its escapes (plain, escape, plain, ..., plain), and what each of them means."""


class DecodedView:
    """Another view with some of its ranges read in decoded form."""

    __slots__ = ("_ends", "_parent", "_per", "_sources", "_starts", "_unit", "_width", "forgotten", "text")

    def __init__(self, parent: View, edits: Iterable[Edit] = (), *, runs: Iterable[Run] = ()) -> None:
        """`edits` in order, not overlapping; none is kept, for there may be millions. Or else `runs`, which
        are all of the parent's text: quicker, where escapes are the only edits.
        """
        source, out, length = parent.text, BytesIO(), 0  # whose value is not copied once more
        starts, width, sources, ends = (array("I") for _ in range(4))
        units, pers = array("b"), array("b")
        last = 0
        for parts, plain in runs:
            places = list(accumulate(map(len, parts), initial=last))
            sources.extend(places[1:-1:2])
            ends.extend(places[2::2])
            parts[1::2] = plain
            shown = list(accumulate(map(len, parts), initial=length))
            starts.extend(shown[1:-1:2])
            width.extend(map(len, plain))
            units.frombytes(bytes(len(plain)))
            pers.frombytes(bytes(len(plain)))
            out.write(b"".join(parts))
            last, length = places[-1], shown[-1]
        for start, end, text, unit, per in edits:
            length += out.write(source[last:start])
            starts.append(length)  # where an edit's text lies in the view
            width.append(len(text))
            sources.append(start)  # where its source begins
            ends.append(end)
            units.append(unit)
            pers.append(per)
            length += out.write(text)
            last = end
        out.write(source[last:])
        self.text = out.getvalue()
        self.forgotten = False
        self._parent = parent
        self._starts, self._width, self._sources, self._ends = starts, width, sources, ends
        self._unit, self._per = units, pers

    def forget(self) -> None:
        """Let go of this text and of those it was decoded from; the way back to the content stays."""
        self.text, self.forgotten = b"", True
        if isinstance(self._parent, DecodedView):
            self._parent.forget()

    def _source(self, offset: int, *, end: bool) -> int:
        """The parent's offset behind an offset of this text; an end rounds up to groups, a start down."""
        # An end belongs to the byte before it, so that an edit right after a match is not drawn in.
        index = bisect_right(self._starts, offset - end) - 1
        if index < 0:
            return offset
        low, high = self._sources[index], self._ends[index]
        inside = offset - self._starts[index]
        if inside - end >= self._width[index]:
            return high + inside - self._width[index]
        unit, per = self._unit[index], self._per[index]
        if not unit:
            return high if end and inside else low
        groups = -(-inside // per) if end else inside // per
        return min(high, low + groups * unit)

    def to_content(self, start: int, end: int) -> list[Range]:
        """The content's ranges behind text[start:end]."""
        if end <= start:
            return []
        return self._parent.to_content(self._source(start, end=False), self._source(end, end=True))
