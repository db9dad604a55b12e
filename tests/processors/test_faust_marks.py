"""What we rely on in Faust and aiokafka, and the marks that a commit carries."""

import inspect
from types import SimpleNamespace

import faust
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport import consumer as faust_consumer

from tachograph.processors.faust_marks import (
    MarkedConsumer,
    MarkedThread,
    MarkedTransport,
    QuietMonitor,
    _mark,
)
from tachograph.processors.lanes import Mark


@pytest.mark.parametrize(
    ("committed", "mark"),
    [
        (None, Mark(5, 5)),
        (SimpleNamespace(offset=-1, metadata=""), Mark(5, 5)),
        (SimpleNamespace(offset=7, metadata=""), Mark(7, 7)),
        (SimpleNamespace(offset=7, metadata="tacho/1 done=9"), Mark(7, 9)),
        (SimpleNamespace(offset=7, metadata="tacho/1 done=3"), Mark(7, 7)),
        (SimpleNamespace(offset=7, metadata="somebody else's"), Mark(7, 7)),
    ],
)
def test_a_commit_reads_back_as_its_mark(committed: SimpleNamespace | None, mark: Mark) -> None:
    """A new group begins at the log's start; foreign metadata says nothing about what is done."""
    assert _mark(committed, first=5, last=20) == mark


def test_an_overtaken_commit_keeps_its_offset() -> None:
    """Where retention overtook us the lane begins where it was committed: the gap is seen and counted."""
    assert _mark(SimpleNamespace(offset=2, metadata="tacho/1 done=9"), first=5, last=20) == Mark(2, 2)


def test_a_commit_past_the_end_begins_anew() -> None:
    """A topic that was made anew is read from its start: else its records would all count as seen."""
    assert _mark(SimpleNamespace(offset=50, metadata=""), first=0, last=20) == Mark(0, 0)


def test_faust_still_asks_what_we_answer() -> None:
    """Each method that we override is there with the same parameters; an upgrade that moves one fails."""
    for name in ("perform_seek", "force_commit", "on_partitions_revoked", "ack", "verify_event_path"):
        theirs = inspect.signature(getattr(faust_consumer.ThreadDelegateConsumer, name))
        assert list(inspect.signature(getattr(MarkedConsumer, name)).parameters) == list(theirs.parameters)
    assert "call_thread" in dir(MarkedThread)
    assert inspect.iscoroutinefunction(GroupCoordinator.fetch_committed_offsets)
    assert "self.Consumer(" in inspect.getsource(MarkedTransport.create_consumer)


def test_the_quiet_monitor_does_nothing_for_a_message() -> None:
    """Every hook that Faust calls for each message is empty."""
    monitor = QuietMonitor()
    before = monitor.messages_received_total
    monitor.on_message_in(faust.types.TP("t", 0), 1, object())
    assert monitor.on_stream_event_in(faust.types.TP("t", 0), 1, object(), object()) is None
    assert monitor.messages_received_total == before
