"""Two batches in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tachograph.sinks.batch import Batch
from tachograph.sinks.errors import Stopping
from tachograph.sinks.lanes import LANES, Lanes
from tachograph.sinks.record import Message

SECONDS = 60.0
Make = Callable[..., Message]


def test_two_batches_run_at_once_and_no_third(message: Make) -> None:
    """Both lanes wait for each other, which they could not do one after the other."""
    barrier = threading.Barrier(LANES)
    lanes = Lanes(lambda _: (barrier.wait(SECONDS), None)[1])
    for offset in range(LANES):
        assert lanes.free
        lanes.submit(Batch((message(offset=offset),)))
    assert not lanes.free
    done: list[Batch] = []
    while lanes.busy:
        done += lanes.collect(SECONDS)
    assert sorted(batch.messages[0].offset for batch in done) == [0, 1]
    lanes.close(SECONDS)


def test_nothing_done_is_nothing_to_collect() -> None:
    """And it does not wait for it."""
    lanes = Lanes(lambda _: None)
    assert list(lanes.collect(SECONDS)) == []
    lanes.close(SECONDS)


def test_a_fault_reaches_the_main_thread(message: Make) -> None:
    """Whatever a lane raises is raised where it is collected."""

    def broken(_: Batch) -> None:
        raise ZeroDivisionError

    lanes = Lanes(broken)
    lanes.submit(Batch((message(),)))
    with pytest.raises(ZeroDivisionError):
        list(lanes.collect(SECONDS))
    assert lanes.free
    lanes.close(SECONDS)


def test_a_batch_that_was_stopped_is_not_settled(message: Make) -> None:
    """It is neither acknowledged nor an error."""

    def stopped(_: Batch) -> None:
        raise Stopping

    lanes = Lanes(stopped)
    lanes.submit(Batch((message(),)))
    assert list(lanes.collect(SECONDS)) == []
    assert lanes.busy == 0
    lanes.close(SECONDS)


def test_a_call_that_hangs_does_not_keep_the_process(message: Make) -> None:
    """Lanes are daemon threads, and closing waits only so long."""
    held = threading.Event()
    lanes = Lanes(lambda _: (held.wait(SECONDS), None)[1])
    lanes.submit(Batch((message(),)))
    lanes.close(0.01)
    assert all(thread.daemon for thread in lanes._threads)
    held.set()
    lanes.close(SECONDS)
