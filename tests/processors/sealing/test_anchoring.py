"""Lanes: the newest checkpoint of each log goes out, sealing never waits, and a fault ends nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tachograph.processors.errors import AnchorFault, BrokerFault, HistoryDisputed
from tachograph.processors.sealing.anchoring import (
    Anchors,
    Lane,
    Offer,
    Publisher,
    Stamps,
    anchors_of,
)
from tachograph.processors.sealing.metrics import Metrics
from tachograph.processors.sealing.stamping import Authority
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.merkle import EMPTY_ROOT, Tree, leaf_hash
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics

SECONDS = 60.0


def offer(size: int, partition: int = 0) -> Offer:
    root = Tree([leaf_hash(b"")] * size).root() if size else EMPTY_ROOT
    return Offer(partition, Checkpoint(f"log/{partition}", size, root), f"note {partition}/{size}\n")


class Slow:
    """An anchor that answers when it is let; `answers` may raise."""

    name = "slow"

    def __init__(self) -> None:
        self.asked: queue.Queue[Offer] = queue.Queue()
        self.answers: queue.Queue[Callable[[Offer], tuple[str, bytes] | None]] = queue.Queue()
        self.closed = threading.Event()

    def vouch(self, offer: Offer) -> tuple[str, bytes] | None:
        self.asked.put(offer)
        return self.answers.get(timeout=SECONDS)(offer)

    def close(self) -> None:
        self.closed.set()


class Bench:
    """One lane with a slow anchor."""

    def __init__(self) -> None:
        self.anchor, self.metrics, self.stop = Slow(), Metrics(), threading.Event()
        self.published: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.lane = Lane(self.anchor, lambda *said: self.published.put(said), self.metrics, self.stop)
        self.anchors = Anchors([self.lane], self.stop)

    def asked(self) -> Offer:
        return self.anchor.asked.get(timeout=SECONDS)

    def answer(self, how: Callable[[Offer], tuple[str, bytes] | None]) -> None:
        self.anchor.answers.put(how)

    def close(self) -> None:
        self.anchors.close()
        self.lane._thread.join(SECONDS)

    def count(self, result: str) -> float:
        return self.metrics.anchors.labels("slow", result)._value.get()


def good(item: Offer) -> tuple[str, bytes]:
    return item.said.key, item.note.encode()


def test_a_newer_checkpoint_takes_the_place_of_one_that_waits() -> None:
    """While the anchor thinks, offers return at once; of each log the newest is asked about next."""
    bench = Bench()
    bench.anchors.offer(offer(1))
    assert bench.asked() == offer(1)
    for size in (2, 3, 4):
        bench.anchors.offer(offer(size))
    bench.anchors.offer(offer(9, partition=1))
    for _ in range(3):
        bench.answer(good)
    assert [bench.published.get(timeout=SECONDS) for _ in range(3)] == [
        ("log/0/1", b"note 0/1\n"),
        ("log/0/4", b"note 0/4\n"),
        ("log/1/9", b"note 1/9\n"),
    ]
    bench.close()
    assert (bench.count("anchored"), bench.count("skipped"), bench.count("failed")) == (3, 2, 0)
    assert bench.anchor.closed.is_set()


def failing(error: Exception) -> Callable[[Offer], None]:
    def answer(_: Offer) -> None:
        raise error

    return answer


def test_a_fault_is_counted_and_the_next_checkpoint_is_anchored() -> None:
    """An outage is one line in the log, a disputed history one each time; a defect ends no lane."""
    bench = Bench()
    errors = [AnchorFault("away"), BrokerFault("away"), HistoryDisputed("FORK"), HistoryDisputed("FORK")]
    with capture_logs() as lines:
        for number, error in enumerate([*errors, KeyError("a defect")]):
            bench.anchors.offer(offer(number))
            bench.asked()
            bench.answer(failing(error))
        bench.anchors.offer(offer(99))
        bench.asked()
        bench.answer(good)
        assert bench.published.get(timeout=SECONDS)[0] == "log/0/99"
        bench.close()
    told = [(line["log_level"], line.get("reason")) for line in lines]
    assert told == [
        ("warning", "away"),
        ("debug", "away"),
        ("error", "FORK"),
        ("error", "FORK"),
        ("error", "defect: KeyError"),
        ("info", None),
    ]
    assert (bench.count("failed"), bench.count("anchored")) == (5, 1)


def test_a_log_is_stamped_once_in_its_time() -> None:
    """Each log by itself; a stamp that failed is asked for again with the next checkpoint."""
    clock, stamped = [0.0], []

    class Stub(Authority):
        def __init__(self) -> None:
            self.down = False

        def stamp(self, note: str, said: Checkpoint) -> bytes:
            if self.down:
                raise AnchorFault("down")
            stamped.append(said.key)
            return b"token"

    stub = Stub()
    stamps = Stamps(stub, seconds=300, monotonic=lambda: clock[0])
    assert stamps.vouch(offer(1)) == ("log/0/1/tsa", b"token")
    assert stamps.vouch(offer(2)) is None
    assert stamps.vouch(offer(2, partition=1)) == ("log/1/2/tsa", b"token")
    clock[0], stub.down = 300.0, True
    with pytest.raises(AnchorFault):
        stamps.vouch(offer(3))
    clock[0], stub.down = 301.0, False
    assert stamps.vouch(offer(4)) == ("log/0/4/tsa", b"token")
    assert stamped == ["log/0/1", "log/1/2", "log/0/4"]


def test_without_anchors_there_is_nothing_to_do() -> None:
    """No thread, no client, and offers are taken all the same."""
    before = set(threading.enumerate())
    anchors = anchors_of(Sealing(), {}, Topics("none"), Metrics())
    anchors.offer(offer(1))
    anchors.close()
    assert set(threading.enumerate()) <= before


def test_a_kafka_that_is_away_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its time; the lane goes on."""
    monkeypatch.setattr("tachograph.processors.sealing.anchoring.PUBLISH_SECONDS", 0.2)
    publish = Publisher({"bootstrap.servers": "127.0.0.1:1"}, Topics("none"))
    with pytest.raises(BrokerFault, match="no answer"):
        publish("key", b"value")
