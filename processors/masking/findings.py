"""What was found, put together: overlaps become one range, named and shown by its best finding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tachograph.processors.masking.parts import Removed, Span
from tachograph.processors.masking.pseudonyms import PseudonymKey, shown
from tachograph.processors.masking.splice import Patch
from tachograph.processors.masking.views import Range

FIELD_PRIORITY = 60
"""A field rule names an overlap unless a provider's own format (higher) does."""
KNOWN_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret: the content ranges that show it, and its plain value for the pseudonym."""

    rule: str
    type: str
    priority: int
    ranges: tuple[Range, ...]
    value: bytes = field(repr=False)
    quote: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of content covered."""
        return sum(end - start for start, end in self.ranges)


def _better(one: Finding, two: Finding) -> Finding:
    """The finding that names an overlap; the order is total, so the result depends on no one's turn."""
    return max((one, two), key=lambda f: (f.priority, f.size, f.rule, f.type, f.value))


def merged(
    findings: Sequence[Finding], key: PseudonymKey
) -> tuple[list[Patch], list[Span], dict[Removed, None]]:
    """Patches and spans in order, and each value once that a marker stands for. A finding in several pieces
    shows its marker in the first, nothing in the rest.
    """
    pieces = sorted(
        ((start, end, order == 0, finding)
         for finding in findings for order, (start, end) in enumerate(finding.ranges)),
        key=lambda piece: (piece[0], -piece[1], not piece[2], -piece[3].priority, piece[3].rule),
    )  # fmt: skip
    patches: list[Patch] = []
    spans: list[Span] = []
    removed: dict[Removed, None] = {}
    group: list[tuple[int, int, bool, Finding]] = []
    end = -1
    for piece in [*pieces, None]:
        if piece is not None and (not group or piece[0] < end):
            group.append(piece)
            end = max(end, piece[1])
            continue
        if group:
            patch, span, value = _one(group, end, key)
            patches.append(patch)
            spans.append(span)
            if value is not None:
                removed[value] = None
        if piece is not None:
            group, end = [piece], piece[1]
    return patches, spans, removed


def _one(
    group: Sequence[tuple[int, int, bool, Finding]], end: int, key: PseudonymKey
) -> tuple[Patch, Span, Removed | None]:
    first = [finding for _, _, leads, finding in group if leads]
    best = group[0][3]
    for finding in first or [piece[3] for piece in group]:
        best = _better(best, finding) if best in first or not first else finding
    pseudonym = key.of(best.type, best.value) if first else None
    marker = shown(best.type, pseudonym) if first else b""
    quote = (
        next((f.quote for _, _, _, f in group if f.quote), b"")
        if len(group) == 1 or _all_bare(group)
        else b""
    )
    start = group[0][0]
    value = Removed(best.type, pseudonym, best.value) if first else None
    return Patch(start, end, marker, quote), Span(best.rule, best.type, start, end), value


def _all_bare(group: Sequence[tuple[int, int, bool, Finding]]) -> bool:
    """Whether the widest piece is a bare number; then the range is one, whatever was found inside it."""
    widest = max(group, key=lambda piece: piece[1] - piece[0])
    return bool(widest[3].quote)
