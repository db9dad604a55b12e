"""Every range of a view leads back to the content, rounded to whole escapes and groups."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.views import ContentView, DecodedView, Edit, JoinedView


def test_joined_pieces_lead_back_each_to_its_own() -> None:
    """A range over three pieces gives three; a separator none."""
    view = JoinedView(b"..ab..cd..ef", [(2, 4), b"|", (6, 8), (10, 12)])
    assert view.text == b"ab|cdef"
    assert view.to_content(1, 6) == [(3, 4), (6, 8), (10, 11)]
    assert view.to_content(2, 3) == []


def test_an_escape_is_covered_whole() -> None:
    """`x\\u0041y` is three characters; the middle one is six bytes."""
    view = DecodedView(ContentView(rb"x\u0041y"), [Edit(1, 7, b"A")])
    assert view.text == b"xAy"
    assert view.to_content(1, 2) == [(1, 7)]
    assert view.to_content(0, 1) == [(0, 1)]
    assert view.to_content(2, 3) == [(7, 8)]


def test_a_base64_group_is_covered_whole() -> None:
    """Four letters stand for three bytes."""
    view = DecodedView(ContentView(b"=QUJDREVG="), [Edit(1, 9, b"ABCDEF", unit=4, per=3)])
    assert view.to_content(3, 5) == [(1, 9)]
    assert view.to_content(4, 5) == [(5, 9)]
    assert view.to_content(0, 3) == [(0, 5)]


def test_an_edit_without_text_is_skipped() -> None:
    """A folded line reads on; a range over the fold covers it."""
    view = DecodedView(ContentView(b"ab\ncd"), [Edit(2, 3, b"")])
    assert view.text == b"abcd"
    assert view.to_content(1, 3) == [(1, 4)]
    assert view.to_content(0, 2) == [(0, 2)]
    assert view.to_content(2, 2) == []


@given(st.data())
def test_ranges_are_monotone_and_cover(data: st.DataObject) -> None:
    """A larger range never covers less, through two layers of edits."""
    content = bytes(data.draw(st.binary(min_size=4, max_size=60)))
    view: ContentView | DecodedView = ContentView(content)
    for _ in range(2):
        marks = sorted(data.draw(st.sets(st.integers(0, len(view.text)), max_size=6)))
        pairs = list(zip(marks[::2], marks[1::2], strict=False))
        view = DecodedView(view, [Edit(a, b, data.draw(st.binary(max_size=b - a))) for a, b in pairs])
    if len(view.text) < 2:
        return
    low = data.draw(st.integers(0, len(view.text) - 2))
    high = data.draw(st.integers(low + 1, len(view.text)))
    ((start, end),) = view.to_content(low, high)
    ((inner, _),) = view.to_content(low, low + 1)
    ((_, last),) = view.to_content(high - 1, high)
    assert 0 <= start == inner < end == last <= len(content)
