"""A log grows by what comes, once; a second reading gives the same tree; what is missing is said."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.sealing.log import LogState, Rhythm, Taken, checkpoint, grown
from tachograph.schemas.leaf import GAP, gap_data
from tachograph.schemas.merkle import Tree, leaf_hash


def _taken(offset: int) -> Taken:
    value = b'{"n":%d}' % offset
    return Taken(offset, value, uuid.UUID(int=offset), uuid.UUID(int=7), "request", "2026.01.02")


def test_each_record_is_a_leaf_of_its_exact_bytes() -> None:
    """Index, offset, identity and hash of every record, in order."""
    state, leaves = grown(LogState(), [_taken(0), _taken(1)])
    assert [(leaf.index, leaf.offset, leaf.uid) for leaf in leaves] == [
        (0, 0, uuid.UUID(int=0)),
        (1, 1, uuid.UUID(int=1)),
    ]
    assert leaves[1].leaf == leaf_hash(b'{"n":1}').hex()
    assert (state.next_offset, state.frontier.size) == (2, 2)


@given(st.lists(st.integers(1, 6), max_size=8), st.integers(0, 5))
def test_in_whatever_batches_and_again_the_tree_is_one(batches: list[int], again: int) -> None:
    """Cut anywhere, with records that come twice, the root is that of all records once."""
    state, offset = LogState(), 0
    for batch in batches:
        start = max(offset - again, 0)
        state, _ = grown(state, [_taken(number) for number in range(start, offset + batch)])
        offset += batch
    assert state.frontier.root() == Tree(leaf_hash(_taken(number).value) for number in range(offset)).root()


def test_what_was_deleted_before_it_was_sealed_is_a_leaf() -> None:
    """A hole in the offsets is in the tree, with its ends."""
    state, leaves = grown(LogState(), [_taken(0), _taken(5)])
    assert [(leaf.type, leaf.offset) for leaf in leaves] == [("request", 0), (GAP, 1), ("request", 5)]
    assert leaves[1].leaf == leaf_hash(gap_data(1, 5)).hex()
    assert state.next_offset == 6


def test_a_checkpoint_says_where_the_log_stands() -> None:
    """Origin, size, root, time and the next offset."""
    state, _ = grown(LogState(), [_taken(0)])
    said = checkpoint("log/0", state, time="2026-01-02T03:04:05Z")
    assert (said.origin, said.size, said.root, said.offset) == ("log/0", 1, state.frontier.root(), 1)


def test_a_checkpoint_is_due_by_leaves_by_time_and_at_the_start() -> None:
    """Also when nothing came: silence is a statement."""
    rhythm = Rhythm(leaves=10, seconds=60, size=5)
    assert rhythm.due(5, now=0)
    rhythm.kept(5, now=0)
    assert not rhythm.due(14, now=59)
    assert rhythm.due(15, now=1)
    assert rhythm.due(5, now=60)


def test_a_record_shows_no_content() -> None:
    """Its repr has sizes only."""
    assert "n" not in repr(_taken(1)).partition("value=")[2].replace("bytes", "")
