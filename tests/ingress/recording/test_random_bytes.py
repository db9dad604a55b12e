"""Bytes from the source, each handed out once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.recording.random_bytes import PAGE_BYTES, RandomPage


class Source:
    """Every byte's place can be read from it: a counter in four bytes."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self, length: int) -> bytes:
        start, self.given = self.given, self.given + length
        numbers = b"".join(number.to_bytes(4, "big") for number in range(start // 4, self.given // 4 + 2))
        return numbers[start % 4 : start % 4 + length]


@given(st.lists(st.sampled_from([0, 1, 4, 16, 32, 1000]) | st.integers(PAGE_BYTES - 8, PAGE_BYTES + 8)))
def test_no_byte_is_handed_out_twice(lengths: list[int]) -> None:
    """Each call gives as many bytes as it was asked for, all from the source, none from an earlier call."""
    page = RandomPage(source := Source())
    drawn = [page(length) for length in lengths]
    assert [len(piece) for piece in drawn] == lengths
    everything, seen = Source()(source.given), set[int]()
    for piece in drawn:
        if len(piece) >= 16:  # shorter ones may stand in several places
            at = everything.find(piece)
            assert at >= 0
            assert seen.isdisjoint(range(at, at + len(piece)))
            seen.update(range(at, at + len(piece)))


def test_its_bytes_are_not_shown() -> None:
    """Salts guard short bodies, so no log and no traceback shows them."""
    page = RandomPage(lambda length: b"s" * length)
    page(16)
    assert "s" * 4 not in repr(page)
