"""When a batch is worth a call."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.batch import FLUSH_SECONDS, Batcher
from tachograph.sinks.bulk import FULL_BYTES
from tachograph.sinks.record import Message

Make = Callable[..., Message]


def test_a_lone_record_waits_for_the_flush_interval_only(message: Make) -> None:
    """Not due at once, due when it is old enough."""
    batcher = Batcher()
    assert not batcher.due(now=5.0)
    batcher.add(message(), now=5.0)
    assert not batcher.due(now=5.0 + FLUSH_SECONDS / 2)
    assert batcher.due(now=5.0 + FLUSH_SECONDS)


def test_enough_bytes_are_due_at_once(message: Make) -> None:
    """A batch is cut when it reaches its size; the rest waits for its own turn."""
    batcher = Batcher()
    value = b"{" + b" " * ((1 << 20) - 2) + b"}"
    for n in range(7):
        batcher.add(message(value, offset=n), now=0.0)
    assert batcher.due(now=0.0)
    batch = batcher.take()
    assert batch.size == FULL_BYTES
    assert [one.offset for one in batch.messages] == [0, 1, 2, 3, 4]
    assert not batcher.full
    assert [one.offset for one in batcher.take().messages] == [5, 6]


def test_records_of_a_lost_partition_are_dropped(message: Make) -> None:
    """Their next owner reads them again."""
    batcher = Batcher()
    for partition in (0, 1, 0):
        batcher.add(message(partition=partition), now=0.0)
    batcher.drop({("t.masked", 0)})
    assert [one.partition for one in batcher.take().messages] == [1]


@given(st.lists(st.integers(0, FULL_BYTES), max_size=20))
def test_nothing_is_lost_or_reordered(message: Make, sizes: list[int]) -> None:
    """The batches together are what came in."""
    batcher = Batcher()
    for n, size in enumerate(sizes):
        batcher.add(message(bytes(size), offset=n), now=0.0)
    taken: list[int] = []
    while batcher.due(now=FLUSH_SECONDS):
        batch = batcher.take()
        assert batch.size < FULL_BYTES + max(sizes) or len(batch.messages) == 1
        taken += [one.offset for one in batch.messages]
    assert taken == list(range(len(sizes)))
