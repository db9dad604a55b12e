"""A stub is told by what it says, whatever else it is."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.refused import says_stub


def test_it_says_so_in_one_place() -> None:
    """In an object under `unmapped.tacho`; text that only looks like it, or another type, does not."""
    assert says_stub(b'{"unmapped":{"tacho":{"stub":{"reason":"too-deep"}}}}')
    for other in (
        b'{"unmapped":{"tacho":{"stub":"{"}}}',
        b'{"unmapped":{"stub":{}}}',
        b'{"unmapped":{"tacho":{"body":"\\"stub\\":{"}}}',
        b'{"unmapped":[{"stub":{}}]}',
        b'{"stub":{',
    ):
        assert not says_stub(other)


@given(st.binary())
def test_any_bytes_are_answered(data: bytes) -> None:
    """With no, unless they are JSON."""
    assert not says_stub(data + b'"stub":{')
