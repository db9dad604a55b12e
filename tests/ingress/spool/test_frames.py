"""One table, both directions; and every way in which a frame can be less than whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.spool.frames import (
    MAX_BODY_BYTES,
    BadFrame,
    SpoolEntry,
    decode_frame,
    encode_frame,
    find_frame,
)

ENTRIES = st.builds(
    SpoolEntry,
    topic=st.text(max_size=40),
    key=st.binary(max_size=80),
    value=st.binary(max_size=2000),
    headers=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=60)), max_size=5).map(tuple),
)


@given(ENTRIES)
def test_a_frame_gives_back_its_entry(entry: SpoolEntry) -> None:
    """Decoding an encoded entry gives the entry and the offset behind it."""
    frame = encode_frame(entry)
    assert decode_frame(frame) == (entry, len(frame))


@given(ENTRIES, ENTRIES)
def test_frames_follow_each_other(first: SpoolEntry, second: SpoolEntry) -> None:
    """Two frames in a row decode one after the other."""
    data = encode_frame(first) + encode_frame(second)
    entry, offset = decode_frame(data)
    assert (entry, decode_frame(data, offset)) == (first, (second, len(data)))


@given(ENTRIES, st.data())
def test_a_frame_cut_short_is_refused(entry: SpoolEntry, data: st.DataObject) -> None:
    """No proper prefix of a frame decodes."""
    frame = encode_frame(entry)
    cut = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(BadFrame):
        decode_frame(frame[:cut])


@given(ENTRIES, st.data())
def test_every_altered_bit_is_noticed(entry: SpoolEntry, data: st.DataObject) -> None:
    """A frame with one bit turned over does not decode."""
    frame = bytearray(encode_frame(entry))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadFrame):
        decode_frame(bytes(frame))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_anything_else(data: bytes) -> None:
    """Garbage is refused as garbage."""
    with pytest.raises(BadFrame):
        decode_frame(data)
    assert find_frame(data, 0) is None


@given(st.binary(max_size=200), ENTRIES)
def test_a_frame_is_found_behind_garbage(garbage: bytes, entry: SpoolEntry) -> None:
    """Resynchronisation finds the whole frame that follows damage."""
    frame = encode_frame(entry)
    assert find_frame(garbage + frame, 0) == len(garbage)


def test_an_entry_too_long_to_be_read_back_is_not_written() -> None:
    """What `decode_frame` would refuse, `encode_frame` refuses."""
    with pytest.raises(ValueError, match="at most"):
        encode_frame(SpoolEntry("t", b"", b"x" * MAX_BODY_BYTES))


def test_a_repr_shows_no_value() -> None:
    """Keys and values stay out of logs."""
    assert "secret" not in repr(SpoolEntry("t", b"secret", b"secret", (("h", b"secret"),)))
