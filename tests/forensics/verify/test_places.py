"""The search for the places of leaves by itself; tests/evidence has it within bundles."""

from collections.abc import Sequence

import pytest

from tachograph.forensics.verify.places import MAX_HOLE, Places

LOST = {"3": "request", "5": "response"}


@pytest.mark.parametrize(
    ("spans", "missing", "placed"),
    [
        ([], 0, set()),
        ([range(3)], 3, set()),
        ([range(4)], 3, {"3"}),
        ([range(3, 4), range(5, 6)], 0, {"3", "5"}),
        ([range(2**53)], 2**53 - 2, {"3", "5"}),
    ],
)
def test_a_leaf_stands_for_its_place(spans: Sequence[range], missing: int, placed: set[str]) -> None:
    """Of whatever width the gaps are."""
    places = Places(LOST)
    assert (places.missing(str, spans), places.placed) == (missing, placed)


def test_without_leaves_no_place_is_tried() -> None:
    """Nothing can stand for one."""
    tried: list[int] = []
    assert Places({}).missing(lambda place: str(tried.append(place)), [range(1000)]) == 1000
    assert tried == []


def test_all_strands_together_are_tried_in_bounded_time() -> None:
    """Leaves are found as long as none is missing; then each strand costs one place."""
    tried: list[int] = []

    def uid(place: int) -> str:
        tried.append(place)
        return str(place)

    places = Places(LOST)
    assert places.missing(uid, [range(6, 6 + MAX_HOLE)]) == MAX_HOLE
    tried.clear()
    assert places.missing(uid, [range(3, MAX_HOLE)]) == MAX_HOLE - 3 - 1
    assert tried == [3, 4]
    assert places.missing(uid, [range(5, 6), range(7, 8)]) == 1
    assert places.placed == {"3", "5"}
