"""A leaf has one form, and a frontier is read back as it was written."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import GAP, Leaf, gap_data, pack_frontier, unpack_frontier
from tachograph.schemas.merkle import Frontier, leaf_hash

LEAF = Leaf(
    index=3,
    offset=9,
    leaf="ab" * 32,
    type="request",
    uid=uuid.UUID(int=1),
    session=uuid.UUID(int=2),
    day="2026.01.02",
)


@given(
    index=st.integers(0, 2**53 - 1),
    kind=st.text(max_size=64),
    ids=st.lists(st.none() | st.uuids(), min_size=2, max_size=2),
)
def test_what_is_written_is_read_back(index: int, kind: str, ids: list[uuid.UUID | None]) -> None:
    """Any leaf, with an identity or without."""
    leaf = Leaf(index=index, offset=index, leaf="0" * 64, type=kind, uid=ids[0], session=ids[1])
    assert Leaf.parse(leaf.canonical()) == leaf


@pytest.mark.parametrize(
    ("change", "to"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"index":3', b'"index": 3'),
        (b'"index":3', b'"index":3.0'),
        (b'"index":3', b'"index":-3'),
        (b'"index":3', b'"index":3,"index":4'),
        (b"abab", b"ABAB"),
        (b"2026.01.02", b"2026-01-02"),
        (b"2026.01.02", "2026.01.0\uff12".encode()),
        (b"}", b""),
    ],
)
def test_any_other_form_is_refused(change: bytes, to: bytes) -> None:
    """Another version, a key more, white space, floats, keys twice, upper case, other digits: malformed."""
    data = LEAF.canonical()
    assert change in data
    with pytest.raises(MalformedRecord):
        Leaf.parse(data.replace(change, to, 1))


@given(st.integers(0, 200))
def test_a_frontier_is_read_back(size: int) -> None:
    """Of any size."""
    frontier = Frontier().extended(leaf_hash(b"%d" % number) for number in range(size))
    assert unpack_frontier(pack_frontier(frontier)) == frontier


@pytest.mark.parametrize("data", [b"", b"1234567", b"\0" * 9, (1).to_bytes(8), (2).to_bytes(8) + b"\0" * 64])
def test_what_is_no_frontier_is_refused(data: bytes) -> None:
    """Cut off, or with another number of hashes than the size has bits."""
    with pytest.raises(MalformedRecord):
        unpack_frontier(data)


def test_a_gap_names_what_is_gone() -> None:
    """Its data follow from the offsets alone, so that everybody gets the same leaf."""
    assert gap_data(4, 9) == b'{"after":9,"first":4,"gap":1}'
    assert GAP == "gap"
