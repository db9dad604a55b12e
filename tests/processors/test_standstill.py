"""What is stopped is paused at every look; what may go on is sought at the ledger's place first."""

from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from tachograph.processors.assemble import Assembler
from tachograph.processors.lanes import Lanes, Mark, Place
from tachograph.processors.standstill import Standstill

ONE, TWO = Place("t.raw", 1), Place("t.raw", 2)


class Consumer:
    """Keeps the order of what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.fails = False

    def assignment(self) -> set[TP]:
        return {TP(*ONE), TP(*TWO)}

    def pause_partitions(self, places: set[TP]) -> None:
        self.told.append(("pause", places))

    def resume_partitions(self, places: set[TP]) -> None:
        self.told.append(("resume", places))

    async def seek_wait(self, places: dict[TP, int]) -> None:
        if self.fails:
            raise KafkaError
        self.told.append(("seek", places))


async def test_it_stands_until_it_may_go_on() -> None:
    """Paused again after every rebalance; another partition is left alone."""
    lanes, stops = Lanes(lambda: Assembler(hold_bytes=1, hold_seconds=1)), {1: "a leak"}
    lanes.assign(1, {ONE: Mark(5, 5), TWO: Mark(7, 7)})
    consumer, still = Consumer(), Standstill(lanes, stops.get)
    assert await still.look(consumer) == (1,)
    lanes.assign(2, {ONE: Mark(6, 6), TWO: Mark(7, 7)})
    assert await still.look(consumer) == (1,)
    assert consumer.told == [("pause", {TP(*ONE)})] * 2
    del stops[1]
    consumer.fails = True
    assert await still.look(consumer) == ()
    assert [lane.stopped for lane in lanes] == [True, False]
    consumer.fails = False
    await still.look(consumer)
    await still.look(consumer)
    assert consumer.told[2:] == [("seek", {TP(*ONE): 6}), ("resume", {TP(*ONE)})]
    assert [lane.stopped for lane in lanes] == [False, False]
