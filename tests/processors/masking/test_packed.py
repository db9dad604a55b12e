"""Raw deflate is known by what comes out of it, and never inflates without end."""

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.packed import MAX_INFLATED, inflated


def packed(text: bytes, level: int = 6) -> bytes:
    return zlib.compress(text, level, wbits=-zlib.MAX_WBITS)


@given(
    st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), min_size=16
    ),
    st.integers(1, 9),
)
@example("a" * 48 + "€" * 300, 9)
def test_text_comes_out_whole(text: str, level: int) -> None:
    """Whatever it says; what takes too few bytes to hold a secret aside."""
    data = packed(text.encode(), level)
    assert inflated(data) in ((text.encode(),) if len(data) >= 18 else (b"",))


@given(st.binary(max_size=300))
def test_any_bytes_are_tried(data: bytes) -> None:
    """No exception: what is no deflate is nothing."""
    inflated(data)


@given(st.text('abcdefgh {}":,.=0123456789', min_size=18, max_size=300))
def test_text_is_not_packed(text: str) -> None:
    """What can be read as it stands is not taken for something else."""
    assert inflated(text.encode()) == b""


def test_what_is_cut_off_gives_its_beginning() -> None:
    """A reader of it has that too."""
    text = b"".join(b"line %d of it\n" % n for n in range(200))
    assert text.startswith(inflated(packed(text)[:-40]))
    assert len(inflated(packed(text)[:-40])) > 500


def test_what_comes_out_is_no_text() -> None:
    """A packed picture is none of ours."""
    assert inflated(packed(bytes(range(256)) * 9)) == b""


def test_a_bomb_is_withheld() -> None:
    """The bound is on what comes out."""
    with pytest.raises(Withheld, match="decode-limit"):
        inflated(packed(b"a" * (MAX_INFLATED + 1000)))
