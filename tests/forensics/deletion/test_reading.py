"""Which leaf records are read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from tachograph.forensics.deletion.reading import of_days, of_sessions, read_logs, statements_only
from tachograph.schemas.deletion import ERASURE
from tachograph.schemas.leaf import Leaf

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def leaf(index: int, session: uuid.UUID, day: str, kind: str = "request") -> bytes:
    return Leaf(
        index=index,
        offset=index,
        leaf="0" * 64,
        type=kind,
        uid=uuid.UUID(int=index),
        session=session,
        day=day,
    ).canonical()


VALUES = [leaf(0, ONE, "2026.01.01"), leaf(1, TWO, "2026.01.02"), leaf(2, TWO, "2026.01.03", ERASURE)]


class Source:
    def partitions(self) -> int:
        return 2

    def values(self, partition: int) -> Iterator[bytes]:
        return iter([*VALUES, b"no leaf" + VALUES[0]] if partition else [])


def test_each_reader_takes_what_it_is_for() -> None:
    """Sessions, days with every statement, or statements alone."""
    assert [of_sessions([str(TWO)])(value) for value in VALUES] == [False, True, True]
    assert [of_days(["2026.01.01"])(value) for value in VALUES] == [True, False, True]
    assert [statements_only(value) for value in VALUES] == [False, False, True]


def test_a_log_comes_with_its_name_and_size() -> None:
    """And without what no sealing worker wrote."""
    one, two = read_logs(Source(), lambda name: 7 if name == "log/1" else 0,
                         lambda number: f"log/{number}", lambda _: True)  # fmt: skip
    assert (one.origin, one.size, one.leaves) == ("log/0", 0, ())
    assert (two.origin, two.partition, two.size, len(two.leaves)) == ("log/1", 1, 7, 3)
