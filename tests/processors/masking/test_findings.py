"""Overlapping findings become one marker, the same one whatever their order."""

from itertools import permutations

from tachograph.processors.masking.findings import Finding, merged
from tachograph.processors.masking.pseudonyms import PseudonymKey

KEY = PseudonymKey("k1", bytes(32))


def finding(rule: str, priority: int, *ranges: tuple[int, int], quote: bytes = b"") -> Finding:
    return Finding(rule, rule.upper(), priority, ranges, rule.encode(), quote)


def test_the_best_finding_names_the_union() -> None:
    """Priority decides, then size; the whole union is covered."""
    parts = [finding("low", 10, (0, 8)), finding("high", 50, (4, 12)), finding("mid", 20, (11, 14))]
    for order in permutations(parts):
        patches, spans, _ = merged(order, KEY)
        assert [(p.start, p.end) for p in patches] == [(0, 14)]
        assert patches[0].marker.startswith(b"[HIGH:")
        assert [s.rule for s in spans] == ["high"]


def test_neighbours_stay_apart() -> None:
    """Two secrets that touch get two markers."""
    patches, _, _ = merged([finding("a", 1, (0, 4)), finding("b", 1, (4, 8))], KEY)
    assert [(p.start, p.end) for p in patches] == [(0, 4), (4, 8)]


def test_a_finding_in_pieces_shows_its_marker_once() -> None:
    """The reader of a stream sees one marker, not one for each event."""
    patches, spans, _ = merged([finding("a", 1, (0, 4), (10, 14), (20, 24))], KEY)
    assert [bool(p.marker) for p in patches] == [True, False, False]
    assert len(spans) == 3


def test_a_piece_that_begins_another_finding_shows_that_one() -> None:
    """No marker is lost in an overlap of pieces."""
    patches, _, _ = merged([finding("a", 9, (0, 4), (10, 14)), finding("b", 1, (10, 16))], KEY)
    assert [p.marker[:3] for p in patches] == [b"[A:", b"[B:"]


def test_each_value_that_a_marker_stands_for_is_named_once() -> None:
    """Not what lies inside another, and the second piece of none; with the pseudonym of its marker."""
    inner, outer = finding("b", 1, (2, 4)), finding("a", 9, (0, 8), (10, 14))
    patches, _, removed = merged([inner, outer, finding("a", 9, (20, 24))], KEY)
    (value,) = removed
    assert (value.type, value.value) == ("A", b"a")
    assert patches[0].marker == f"[A:{value.pseudonym}]".encode()
    assert "b'a'" not in repr(value)


def test_a_bare_number_keeps_its_quotes() -> None:
    """Quotes survive when a pattern found the same number."""
    patches, _, _ = merged([finding("a", 9, (0, 4), quote=b'"'), finding("b", 1, (0, 4))], KEY)
    assert patches[0].quote == b'"'
    assert finding("a", 9, (0, 4), (6, 8)).size == 6


def test_values_are_not_shown() -> None:
    """A finding's repr can be logged."""
    assert "b'a'" not in repr(finding("a", 1, (0, 1)))
