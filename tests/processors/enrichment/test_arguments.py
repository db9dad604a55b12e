"""Arguments objects are bounded on every side, and say when they were cut."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.arguments import bounded
from tachograph.processors.enrichment.bounds import (
    ARGUMENTS_BYTES,
    ARGUMENTS_DEPTH,
    ARGUMENTS_LEAF_BYTES,
    ARGUMENTS_NODES,
    CUT,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth - 1):
        value = {"next": value}
    return value


def _depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(_depth, children), default=0)


def test_an_ordinary_object_stays_as_it_is() -> None:
    """Within the bounds nothing changes."""
    value = {"path": "/etc/hosts", "lines": [1, 2], "deep": _nested(5)}
    assert bounded(value) == (value, True)


@given(st.dictionaries(TEXT, VALUES))
def test_no_object_passes_the_bounds(value: dict[str, Any]) -> None:
    """Whatever comes in, what goes out is small, shallow and has names that an index takes."""
    found, whole = bounded(value)
    assert len(orjson.dumps(found)) <= ARGUMENTS_BYTES
    assert _depth(found) <= ARGUMENTS_DEPTH
    assert (found == value) or not whole


@pytest.mark.parametrize("depth", [ARGUMENTS_DEPTH, ARGUMENTS_DEPTH + 1, 900])
def test_depth_is_bounded(depth: int) -> None:
    """The deepest level that is allowed is kept, the next one is not."""
    found, whole = bounded(_nested(depth))
    assert _depth(found) <= ARGUMENTS_DEPTH
    assert whole == (depth <= ARGUMENTS_DEPTH)


def test_count_is_bounded_over_the_whole_object() -> None:
    """One budget of nodes: many small lists do not slip through."""
    found, whole = bounded({"lists": [[1] * 10] * ARGUMENTS_NODES})
    assert not whole
    assert sum(map(len, found["lists"])) < ARGUMENTS_NODES


def test_a_long_text_is_cut_and_its_neighbours_stay() -> None:
    """The file's path is searchable although its content is long."""
    found, whole = bounded({"file_path": "/x", "content": "y" * 20_000})
    assert not whole
    assert found["file_path"] == "/x"
    assert found["content"].endswith(CUT)
    assert len(found["content"].encode()) <= ARGUMENTS_LEAF_BYTES


@pytest.mark.parametrize(("key", "kept"), [("", "_"), (".", "_"), (".a.", "a"), ("a.b", "a.b"), (" a", "a")])
def test_names_that_an_index_refuses_are_trimmed(key: str, kept: str) -> None:
    """Empty names and dots at the edges would cost the whole document."""
    assert bounded({key: 1}) == ({kept: 1}, key == kept)


def test_too_large_altogether_is_left_to_the_text() -> None:
    """An object whose cut leaves are still too much is dropped whole."""
    assert bounded({f"k{index}": "y" * 8000 for index in range(20)}) == ({}, False)
