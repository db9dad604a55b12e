"""How far each part has come, asked of Kafka once, before anything is read: what an audit may hold them to.

Only records before all of these positions can be missed. The parts behind get a while to catch up with what
was there when the audit began, so that on a running system little is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tachograph.forensics.errors import LogUnreachable
from tachograph.schemas.topics import Topics

__all__ = ["Groups", "Marks", "Positions"]

ASK_SECONDS = 15.0
SETTLE_SECONDS = 20.0
"""How long sealing and sink may take to come up to where the masked topic ended."""
AGAIN_SECONDS = 0.25
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Groups:
    """The consumer groups of the parts."""

    masking: str
    sealing: str
    sink: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Offsets are by partition, and those after the last record."""

    unmasked: int
    """Records of the raw topic that wait to be masked."""
    sealed_until: float | None
    """What was recorded before this time (Unix seconds) is masked and sealed; None where nobody can tell."""
    masked: Mapping[int, int]
    """Where the masked topic ended."""
    stored: Mapping[int, int]
    """Up to where the sink has stored it."""
    caught_up: bool
    """Whether all that was masked when this was asked is sealed."""


class Positions:
    """Asks with consumers that join no group. `clock` is Unix seconds."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topics: Topics,
        groups: Groups,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._topics, self._groups = dict(client), topics, groups
        self._clock, self._sleep = clock, sleep

    def take(self) -> Marks:
        """Raises `LogUnreachable`."""
        try:
            unmasked, until = self._masking()
            ends = {number: high for number, (_, high) in self._bounds(self._topics.masked).items()}
            sealed, stored = self._settled(ends)
        except KafkaException:
            raise LogUnreachable("Kafka does not answer: `tacho status` says whether it runs") from None
        caught_up = all(sealed.get(number, 0) >= end for number, end in ends.items())
        return Marks(unmasked, until if caught_up else None, ends, stored, caught_up)

    def _masking(self) -> tuple[int, float | None]:
        """How many raw records wait, and the time of the oldest of them; now where none does."""
        asked, waiting = self._clock(), 0
        bounds = self._bounds(self._topics.raw)
        if not bounds:
            return 0, None
        done = self._committed(self._groups.masking, self._topics.raw, bounds)
        times: list[float | None] = [asked]
        for number, (low, high) in bounds.items():
            at = max(done.get(number, low), low)
            if at < high:
                waiting += high - at
                times.append(self._written(TopicPartition(self._topics.raw, number, at)))
        return waiting, None if None in times else min(item for item in times if item is not None)

    def _settled(self, ends: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
        bounds = dict.fromkeys(ends, (0, 0))
        for left in reversed(range(int(SETTLE_SECONDS / AGAIN_SECONDS) + 1)):
            sealed = self._committed(self._groups.sealing, self._topics.masked, bounds)
            stored = self._committed(self._groups.sink, self._topics.masked, bounds)
            late = any(
                min(sealed.get(number, 0), stored.get(number, 0)) < end for number, end in ends.items()
            )
            if not late or not left:
                break
            self._sleep(AGAIN_SECONDS)
        return sealed, stored

    def _bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        consumer = self._consumer(f"{self._topics.prefix}.audit")
        try:
            found = consumer.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
            if found.error is not None:
                return {}
            return {
                number: _asked(partial(consumer.get_watermark_offsets, place, ASK_SECONDS))
                for number in found.partitions
                for place in (TopicPartition(topic, number),)
            }
        finally:
            consumer.close()

    def _committed(self, group: str, topic: str, partitions: Mapping[int, object]) -> dict[int, int]:
        consumer = self._consumer(group)
        try:
            asked = [TopicPartition(topic, number) for number in partitions]
            found = _asked(partial(consumer.committed, asked, timeout=ASK_SECONDS)) if asked else []
        finally:
            consumer.close()
        return {item.partition: item.offset for item in found if item.offset >= 0}

    def _written(self, place: TopicPartition) -> float | None:
        consumer = self._consumer(f"{self._topics.prefix}.audit")
        try:
            consumer.assign([place])
            deadline = time.monotonic() + ASK_SECONDS
            while time.monotonic() < deadline:
                message = consumer.poll(AGAIN_SECONDS)
                if message is not None and message.error() is None:
                    return float(message.timestamp()[1]) / 1000
            return None
        finally:
            consumer.close()

    def _consumer(self, group: str) -> Consumer:
        return Consumer(self._client | {"group.id": group, "enable.auto.commit": False, "log_level": 0})


def _asked(question: Callable[[], T]) -> T:
    """Put it again for a while: a leader or coordinator that is only being found says so for a moment."""
    deadline = time.monotonic() + ASK_SECONDS
    while True:
        try:
            return question()
        except KafkaException:
            if time.monotonic() >= deadline:
                raise
        time.sleep(AGAIN_SECONDS)
