"""Cut the masked text of a long body back into its chunks: each chunk gets the text that it carried.

Between two masked spans the text is unchanged, so a place before masking has its place after it once the
length of each replacement is known; no cut falls into a replacement. Where that does not add up (compressed
bodies, another charset) the text is cut in proportion. No cut falls into a character; nothing is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from tachograph.processors.masking.masker import Span

__all__ = ["slices"]

_MARKER = re.compile(rb'("?)\[[A-Z][A-Z0-9_]*(?::[a-z0-9]+\.[0-9a-f]+)?\]\1')
"""A replacement as the masker writes it; a number's is quoted."""
Cut = tuple[int, int, int, int]
"""A replacement: start and end before masking, start and end after it."""


def slices(text: bytes, lengths: Sequence[int], spans: Sequence[Span]) -> Iterator[bytes]:
    """One slice of `text` for each chunk's length in raw bytes; together they are `text`."""
    total = sum(lengths)
    cuts = _cuts(text, total, spans)
    start = seen = 0
    for length in lengths[:-1]:
        seen += length
        at = _place(seen, cuts) if cuts is not None else len(text) * seen // (total or 1)
        end = max(start, _boundary(text, at))
        yield text[start:end]
        start = end
    yield text[start:]


def _cuts(text: bytes, total: int, spans: Sequence[Span]) -> list[Cut] | None:
    """Where each span went, or None where the text is not the raw bytes with its spans replaced."""
    cuts: list[Cut] = []
    shift = last = 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start < last:
            return None
        after = span.start + shift
        marker = _MARKER.match(text, after)
        width = len(marker[0]) if marker else 0  # the second piece of a split secret is taken out
        cuts.append((span.start, span.end, after, after + width))
        shift += width - (span.end - span.start)
        last = span.end
    return cuts if total + shift == len(text) else None


def _place(at: int, cuts: Sequence[Cut]) -> int:
    """Where a place before masking lies after it; inside a replacement it lies behind it."""
    index = bisect_right(cuts, at, key=lambda cut: cut[0]) - 1
    if index < 0:
        return at
    start, end, _, after = cuts[index]
    if start == at:
        return cuts[index][2]
    return after + max(0, at - end)


def _boundary(text: bytes, at: int) -> int:
    # UTF-8 continuation bytes are 10xxxxxx (RFC 3629, 3).
    at = min(max(at, 0), len(text))
    while 0 < at < len(text) and text[at] & 0xC0 == 0x80:
        at -= 1
    return at
