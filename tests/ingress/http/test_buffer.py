"""The buffer gives back what was put in, in order, in pieces no longer than asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.http.buffer import Buffer


@given(st.lists(st.binary(min_size=1)), st.integers(1, 20))
def test_bytes_come_out_as_they_went_in(pieces: list[bytes], limit: int) -> None:
    """Any cutting in gives any cutting out."""
    buffer = Buffer()
    for piece in pieces:
        buffer.put(piece)
    assert buffer.size == len(b"".join(pieces))
    taken = []
    while buffer.size:
        taken.append(buffer.take(limit))
    assert all(0 < len(piece) <= limit for piece in taken)
    assert b"".join(taken) == b"".join(pieces)
    assert buffer.take(limit) == b""


def test_exhausted_means_complete_and_taken() -> None:
    """Complete alone is not exhausted while bytes lie in it."""
    buffer = Buffer()
    buffer.put(b"x")
    buffer.complete = True
    assert not buffer.exhausted
    assert buffer.discard() == 1
    assert buffer.exhausted


def test_repr_holds_no_bytes() -> None:
    """A payload is in no log."""
    buffer = Buffer()
    buffer.put(b"secret")
    assert repr(buffer) == "Buffer(<6 bytes>, complete=False)"
