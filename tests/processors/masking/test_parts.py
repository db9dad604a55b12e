"""Parts can be printed: their reprs hold names and sizes, no content."""

from tachograph.processors.masking.parts import MaskedPart, Part, Span


def test_reprs_hold_no_content() -> None:
    """A traceback or a log line shows no payload."""
    assert repr(Part("body", "body", b"hunter2")) == "Part(name='body', kind='body', 7 bytes)"
    masked = MaskedPart("body", b"hunter2", None, 7, (Span("r", "T", 0, 1),))
    assert repr(masked) == "MaskedPart(name='body', 1 spans)"
    assert repr(MaskedPart("body", None, "depth", 7, ())) == "MaskedPart(name='body', withheld='depth')"
