"""How a log grew, read back from its committed leaves: the proof that a witness wants from an earlier size.

The last leaf of each transaction carries the frontier, and every checkpoint is one of a transaction's end, so
only the leaves since the earlier checkpoint are read.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tachograph.processors.errors import AnchorFault, BrokerFault
from tachograph.processors.sealing.reading import read_headers
from tachograph.processors.sealing.writer import ASK_SECONDS, FRONTIER
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import unpack_frontier
from tachograph.schemas.merkle import Frontier
from tachograph.schemas.merkle_growth import grown_proof
from tachograph.schemas.topics import Topics

__all__ = ["History", "last_before"]

PROOF_SECONDS = 60.0
"""The longest that reading for one proof may take."""
BATCH = 5_000
TURN_SECONDS = 0.1
SCAN = 4_096
"""Messages that are rather read than searched through."""
PLACES = 32
"""Checkpoints of each log whose place among the messages is remembered."""
_LEAF = re.compile(rb'"index":(\d+),"leaf":"([0-9a-f]{64})"')


class History:
    """Proofs of growth of the logs of one topic prefix. For one thread; `client` are librdkafka settings."""

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        self._client, self._topic = dict(client), topics.leaves
        self._group = f"{topics.prefix}.sealing.history"
        self._consumer: Consumer | None = None
        self._places: dict[int, deque[tuple[int, int]]] = {}
        """(index, offset) of last leaves of checkpoints, by partition."""

    def proof(self, partition: int, old: int, new: int) -> tuple[bytes, ...]:
        """That `new` leaves begin with `old`. Raises `BrokerFault`; `AnchorFault` where nothing proves it."""
        if old in {0, new}:
            return ()
        end = time.monotonic() + PROOF_SECONDS
        try:
            edge = self._edge(partition, old, end)
            return grown_proof(edge, self._hashes(partition, old, new, end), second=new)
        except (MalformedRecord, ValueError):
            raise AnchorFault(f"the log does not go from {old} to {new} leaves") from None
        finally:
            self._open().unassign()  # else it goes on fetching

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def _edge(self, partition: int, size: int, end: float) -> Frontier:
        """The log's right edge when it had so many leaves."""
        last = next(self._leaves(partition, size - 1, end), None)
        if last is None:
            raise AnchorFault(f"leaf {size - 1} is not there: nothing shows how the log grew")
        packed = read_headers(last).get(FRONTIER)
        if packed is not None:
            return unpack_frontier(packed)
        # No checkpoint of ours: the witness has seen another log, and can only say so when it is asked.
        return Frontier().extended(islice(self._hashes(partition, 0, size, end), size))

    def _hashes(self, partition: int, start: int, new: int, end: float) -> Iterator[bytes]:
        for message in self._leaves(partition, start, end):
            index, digest = _leaf(message)
            if index == new - 1:
                known = self._places.setdefault(partition, deque(maxlen=PLACES))
                known.append((index, message.offset() or 0))
            yield digest

    def _leaves(self, partition: int, wanted: int, end: float) -> Iterator[Message]:
        """The leaf of this index, and all that follow."""
        start = self._place(partition, wanted)
        for message in self._read(partition, start, end):
            if _leaf(message)[0] >= wanted:
                yield message

    def _place(self, partition: int, wanted: int) -> int:
        """An offset from which on this leaf comes soon."""
        known = [offset for index, offset in self._places.get(partition, ()) if index <= wanted]
        if known:
            return known[-1]
        low, high = self._asked(
            lambda: self._open().get_watermark_offsets(TopicPartition(self._topic, partition), ASK_SECONDS)
        )

        def index_at(offset: int) -> int | None:
            found = next(self._read(partition, offset, time.monotonic() + ASK_SECONDS), None)
            return None if found is None else _leaf(found)[0]

        # Every leaf takes one offset at least; the markers between transactions take more.
        return last_before(wanted, low=max(low, wanted), high=high, index_at=index_at)

    def _read(self, partition: int, start: int, end: float) -> Iterator[Message]:
        consumer = self._open()
        self._asked(lambda: consumer.assign([TopicPartition(self._topic, partition, start)]))
        while time.monotonic() < end:
            for message in self._asked(lambda: consumer.consume(BATCH, timeout=TURN_SECONDS)):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name for it
                    return
                else:
                    raise BrokerFault(f"{self._topic}[{partition}]: {error.name()}")
        raise BrokerFault(f"{self._topic}[{partition}]: its leaves could not be read in time")

    def _open(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                self._client
                | {
                    "group.id": self._group,
                    "enable.auto.commit": False,
                    "isolation.level": "read_committed",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 100,
                    "log_level": 0,
                }
            )
        return self._consumer

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except KafkaException as error:
            cause = error.args[0] if error.args else None
            name = cause.name() if isinstance(cause, KafkaError) else "no answer"
            raise BrokerFault(f"{self._topic}: {name}") from None


def last_before(wanted: int, *, low: int, high: int, index_at: Callable[[int], int | None]) -> int:
    """An offset between `low` and `high` at which no leaf after `wanted` comes first, near the last such one.

    `index_at` is the index of the first leaf at an offset or behind it, None where none follows.
    """
    while high - low > SCAN:
        middle = (low + high) // 2
        index = index_at(middle)
        if index is None or index > wanted:
            high = middle
        else:
            low = middle
    return low


def _leaf(message: Message) -> tuple[int, bytes]:
    value = message.value()
    found = _LEAF.search(value if isinstance(value, bytes) else b"")
    if found is None:
        raise AnchorFault(f"{message.topic()}@{message.offset()}: not a leaf; another wrote into this topic")
    return int(found[1]), bytes.fromhex(found[2].decode())
