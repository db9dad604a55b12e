"""A stopped partition stands still: Faust reads nothing of it, and from the right place when it may go on.

What Faust had fetched already is let lie by the flow, so the ledger's next offset is where it left off. The
other partitions of the worker go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from tachograph.processors.lanes import Lane, Lanes

__all__ = ["Standstill"]

_log = structlog.get_logger(__name__)


class Standstill:
    """Brings Faust's consumer in line with what is stopped, each time it looks."""

    def __init__(self, lanes: Lanes, stopped: Callable[[int], object | None]) -> None:
        self._lanes, self._stopped = lanes, stopped

    async def look(self, consumer: Any) -> tuple[int, ...]:
        """Pause what is to stand, let go what may go on; the partitions that stand."""
        assigned = consumer.assignment()
        standing = []
        for lane in self._lanes:
            if self._stopped(lane.place.partition) is not None:
                lane.stopped = True
                consumer.pause_partitions({TP(*lane.place)})
                standing.append(lane.place.partition)
            elif lane.stopped and TP(*lane.place) in assigned:
                await self._go_on(consumer, lane)
        return tuple(standing)

    @staticmethod
    async def _go_on(consumer: Any, lane: Lane) -> None:
        place = TP(*lane.place)
        try:
            await consumer.seek_wait({place: lane.ledger.next_offset})
        except KafkaError as error:  # rebalanced away in between: its next owner begins at the commit
            _log.warning("a partition could not go on, trying again", kind=type(error).__name__)
            return
        consumer.resume_partitions({place})
        lane.stopped = False
        _log.info("partition goes on", partition=lane.place.partition)
