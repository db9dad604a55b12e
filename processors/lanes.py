"""What the worker knows of each partition it is assigned: its ledger, its open bodies, its generation.

A lane lives from assignment to revocation. A record of another generation has no lane: whoever owns the
partition now reads it again from the committed offset.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from tachograph.processors.assemble import Assembler
from tachograph.processors.exchanges import Exchanges
from tachograph.processors.ledger import Ledger
from tachograph.processors.recent import Recent

__all__ = ["Lane", "Lanes", "Mark", "Place"]

MAX_MESSAGES = 50_000
"""Remembered for each partition: about 200 bytes each. One that is forgotten is told again, byte for byte."""


class Place(NamedTuple):
    """A partition; compares equal to the tuples that Kafka clients use."""

    topic: str
    partition: int


class Mark(NamedTuple):
    """What a commit says: the offset to read from, and up to where everything is done."""

    resume: int
    done: int


class Lane:
    """One assigned partition."""

    __slots__ = (
        "assembler",
        "exchanges",
        "generation",
        "ledger",
        "messages",
        "place",
        "reached_s",
        "stopped",
    )

    def __init__(self, place: Place, generation: int, mark: Mark, assembler: Assembler) -> None:
        self.place = place
        self.generation = generation
        self.ledger = Ledger(mark.resume, mark.done)
        self.assembler = assembler
        self.exchanges = Exchanges()
        self.messages: Recent[uuid.UUID] = Recent(MAX_MESSAGES)
        """Messages sent since the assignment. The ledger moves in order, so nothing that relies on one of
        them is committed before it is delivered; a crash or another owner begins without this memory."""
        self.reached_s: float | None = None
        """Kafka's time of the record last taken, in Unix seconds."""
        self.stopped = False
        """Whether records are let lie: a stop stands, or it was lifted and the place to go on is sought."""


class Lanes:
    """All assigned partitions."""

    def __init__(self, new_assembler: Callable[[], Assembler]) -> None:
        self._new_assembler = new_assembler
        self._lanes: dict[Place, Lane] = {}
        self._committed: dict[Place, Mark] = {}
        self.assigned: int | None = None
        """How many partitions; None before the first assignment."""

    def assign(self, generation: int, marks: Mapping[Place, Mark]) -> None:
        """Begin (or, within one generation, go on with) the partitions now assigned."""
        for place, mark in marks.items():
            lane = self._lanes.get(place)
            if lane is None or lane.generation != generation:
                self._lanes[place] = Lane(place, generation, mark, self._new_assembler())
                self._committed[place] = mark
        self.revoke(place for place in list(self._lanes) if place not in marks)
        self.assigned = len(marks)

    def revoke(self, places: Iterable[tuple[str, int]]) -> None:
        """Forget these partitions and what is held of them."""
        for place in places:
            self._lanes.pop(Place(*place), None)
            self._committed.pop(Place(*place), None)
        if self.assigned is not None:
            self.assigned = len(self._lanes)

    def find(self, place: tuple[str, int], generation: int | None) -> Lane | None:
        lane = self._lanes.get(Place(*place))
        return lane if lane is not None and lane.generation == generation else None

    def due(self) -> dict[Place, Mark]:
        """The marks that have moved since they were last committed."""
        marks = {place: Mark(lane.ledger.resume, lane.ledger.done) for place, lane in self._lanes.items()}
        return {place: mark for place, mark in marks.items() if mark != self._committed.get(place)}

    def committed(self, marks: Mapping[Place, Mark]) -> None:
        """Kafka has taken these marks."""
        self._committed.update({place: mark for place, mark in marks.items() if place in self._lanes})

    def __iter__(self) -> Iterator[Lane]:
        return iter(tuple(self._lanes.values()))
