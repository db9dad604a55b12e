"""What may be stated, and what may go."""

from __future__ import annotations

import uuid
from collections.abc import Container
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.deletion.plan import (
    About,
    Present,
    Sealed,
    SealedLog,
    Target,
    drafts,
    in_force,
    may_go,
    shreddable,
)
from tachograph.schemas.deletion import ERASURE, EXPIRED, MAX_NAMES, MAX_STATED, Statement
from tachograph.schemas.leaf import Leaf

DAY, LOG = "2026.01.02", "log/0"
ABOUT = About(ERASURE, "2026-01-02T03:04:05Z", "officer", "rule")
ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def leaf(index: int, *, uid: int | None = None, session: uuid.UUID = ONE, kind: str = "request") -> Leaf:
    name = uuid.UUID(int=1000 + (index if uid is None else uid))
    return Leaf(
        index=index, offset=index, leaf=f"{name.int:064x}", type=kind, uid=name, session=session, day=DAY
    )


def log(*leaves: Leaf) -> SealedLog:
    return SealedLog(LOG, 3, 99, leaves)


def naming(leaves: list[Leaf], *names: int) -> dict[str, frozenset[uuid.UUID]]:
    """All there, and each names the same."""
    return {str(item.uid): frozenset(uuid.UUID(int=name) for name in names) for item in leaves}


def stated(leaves: list[Leaf], present: Present | None = None, named: Container[Any] = ()) -> list[Statement]:
    there = naming(leaves) if present is None else present
    found = drafts(log(*leaves), ABOUT, present=there, named=named, wanted=lambda _: True)
    return [item.statement for item in found]


def test_one_statement_for_each_session() -> None:
    """In the log's own order, for its own partition."""
    leaves = [leaf(0), leaf(1, session=TWO), leaf(2)]
    one, two = stated(leaves)
    assert (one.session, [entry[0] for entry in one.records]) == (ONE, [0, 2])
    assert (two.session, [entry[0] for entry in two.records]) == (TWO, [1])
    assert (
        next(
            drafts(log(leaf(0)), ABOUT, present=naming([leaf(0)]), named=(), wanted=lambda _: True)
        ).partition
        == 3
    )


def test_what_is_gone_or_stated_or_a_statement_is_not_named() -> None:
    """Else tampering would become lawful, a second run would state again, statements would go."""
    leaves = [leaf(0), leaf(1), leaf(2), leaf(3, kind=ERASURE)]
    first = stated(leaves, present=naming([leaf(1)]))
    assert [entry[0] for item in first for entry in item.records] == [1]
    named = in_force([Sealed(first[0], 9)])
    assert [entry[0] for item in stated(leaves, named=named) for entry in item.records] == [0, 2]


def test_a_record_that_is_sealed_twice_is_named_twice() -> None:
    """Both its leaves lose their document; indices ascend, in whatever order the leaves are given."""
    leaves = [leaf(0), leaf(1, uid=7), leaf(2), leaf(5, uid=7)]
    for order in (leaves, leaves[::-1], [*leaves, leaves[1]]):
        (one,) = stated(order)
        assert [entry[0] for entry in one.records] == [0, 1, 2, 5]


def test_the_second_leaf_of_what_was_stated_before_is_named_too() -> None:
    """It was sealed afterwards, and a sink brought its document back."""
    (one,) = stated([leaf(0)])
    (two,) = stated([leaf(0), leaf(5, uid=0)], named=in_force([Sealed(one, 3)]))
    assert [entry[0] for entry in two.records] == [5]


def test_many_records_take_several_statements() -> None:
    """None holds more than it may."""
    found = stated([leaf(index) for index in range(MAX_STATED + 1)])
    assert [len(item.records) for item in found] == [MAX_STATED, 1]


def test_a_statement_says_what_its_records_named() -> None:
    """Each once and in order, but for what it names as deleted itself."""
    leaves = [leaf(0), leaf(1)]
    (one,) = stated(leaves, present=naming(leaves, 9, 1001, 3))
    assert one.names == (uuid.UUID(int=3), uuid.UUID(int=9))
    assert stated(leaves)[0].names == ()


def test_many_names_take_several_statements() -> None:
    """None holds more than it may, and none is lost."""
    leaves = [leaf(0), leaf(1), leaf(2)]
    there = {
        str(item.uid): frozenset(uuid.UUID(int=item.index + 1 << 16 | n) for n in range(MAX_NAMES // 2))
        for item in leaves
    }
    found = stated(leaves, present=there)
    assert [len(item.records) for item in found] == [2, 1]
    assert {name for item in found for name in item.names or ()} == set().union(*there.values())


@given(at=st.integers(0, 20), indices=st.sets(st.integers(0, 20), min_size=1))
def test_a_statement_is_in_force_for_what_stands_before_it(at: int, indices: set[int]) -> None:
    """Whatever it names."""
    (one,) = stated([leaf(index) for index in sorted(indices)])
    found = {entry[0] for _, entry in in_force([Sealed(one, at)])}
    assert found == {index for index in indices if index < at}


def test_a_sessions_first_record_goes_last() -> None:
    """It says whose session it is, for a second run to find."""
    (one,) = stated([leaf(0), leaf(1)])
    assert may_go(in_force([Sealed(one, 9)])) == [
        Target(str(leaf(1).uid), "request", DAY),
        Target(str(leaf(0).uid), "request", DAY),
    ]


def test_data_keys_go_with_the_last_of_a_session() -> None:
    """An erasure takes them; of what grew old only where nothing younger is left."""
    (one,) = stated([leaf(0)])
    old = one.model_copy(update={"type": EXPIRED})
    assert shreddable([one], living={ONE}) == {ONE}
    assert shreddable([old], living={ONE}) == set()
    assert shreddable([old]) == {ONE}
