"""Slices: each chunk gets its own text, whole characters, whole replacements, nothing left out."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.masker import Span
from tachograph.processors.slices import slices


def span(start: int, end: int) -> Span:
    return Span("rule", "PASSWORD", start, end)


def cut(text: bytes, pieces: list[bytes], *spans: Span) -> list[bytes]:
    return list(slices(text, [len(piece) for piece in pieces], spans))


def test_unmasked_text_comes_back_chunk_by_chunk() -> None:
    """Without a replacement every chunk has exactly its own text."""
    pieces = [b"event: a\n\n", b"", b"event: b\n\n"]
    assert cut(b"".join(pieces), pieces) == pieces


def test_text_after_a_replacement_stays_with_its_chunk() -> None:
    """A replacement longer or shorter than its value does not shift what follows."""
    assert cut(b"a=[PASSWORD:ab.01ff]\nb=2\n", [b"a=hunter2\n", b"b=2\n"], span(2, 9)) == [
        b"a=[PASSWORD:ab.01ff]\n",
        b"b=2\n",
    ]


def test_a_secret_over_two_chunks_is_replaced_in_the_first() -> None:
    """The marker is never cut; what follows the secret stays in the second chunk."""
    assert cut(b"p=[PASSWORD]!", [b"p=hun", b"ter2!"], span(2, 9)) == [b"p=[PASSWORD]", b"!"]


def test_quotes_belong_to_a_number_and_not_to_a_string() -> None:
    """A replaced number brings its quotes; the quotes around a replaced string were there before."""
    assert cut(b'{"a":"[PIN]"}\n{}', [b'{"a":"12"}\n', b"{}"], span(6, 8)) == [b'{"a":"[PIN]"}\n', b"{}"]
    assert cut(b'{"a":"[PIN]"}\n{}', [b'{"a":12}\n', b"{}"], span(5, 7)) == [b'{"a":"[PIN]"}\n', b"{}"]


def test_a_piece_taken_out_leaves_nothing() -> None:
    """A secret split over two events is replaced where it begins; its other piece is gone."""
    pieces = [b"data: hun\n", b"data: ter2!\n"]
    assert cut(b"data: [PASSWORD]\ndata: !\n", pieces, span(6, 9), span(16, 20)) == [
        b"data: [PASSWORD]\n",
        b"data: !\n",
    ]


def test_a_replacement_where_a_chunk_begins_belongs_to_it() -> None:
    """The cut falls before the marker, not behind it."""
    assert cut(b"ab[PIN]", [b"ab", b"1234"], span(2, 6)) == [b"ab", b"[PIN]"]


def test_text_of_another_length_is_cut_in_proportion() -> None:
    """A compressed body has no places in common with its text."""
    assert cut(b"abcdefgh", [b"z", b"z"]) == [b"abcd", b"efgh"]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.integers(0, 2**32), st.booleans())
def test_slices_never_cut_a_character_nor_lose_one(texts: list[str], seed: int, other: bool) -> None:
    """Whatever the chunk bounds and spans, each slice is text and together they are the whole."""
    rng = random.Random(seed)
    whole = "".join(texts).encode()
    size = len(whole) + (rng.randrange(50) if other else 0)
    cuts = sorted(rng.randrange(size + 1) for _ in texts[1:])
    lengths = [b - a for a, b in itertools.pairwise([0, *cuts, size])]
    spans = [span(start, start + rng.randrange(9)) for start in (rng.randrange(size + 1) for _ in range(3))]
    parts = list(slices(whole, lengths, spans))
    assert b"".join(parts) == whole
    assert len(parts) == len(lengths)
    assert "".join(part.decode() for part in parts) == whole.decode()
