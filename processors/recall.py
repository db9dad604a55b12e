"""A request read again from the raw topic: its answer is here, and what it held is no longer in memory.

After a restart, a rebalance, or when very many exchanges are open at once. The answer says when its exchange
began; the request lies in the same partition, after that moment and before the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.processors.asking import asked
from tachograph.processors.assemble import Assembler, Piece, Ready
from tachograph.processors.errors import BrokerFault, Poisoned
from tachograph.processors.lanes import Place
from tachograph.processors.unseal import open_piece, parse_record
from tachograph.schemas.envelope import MAX_HEADER_BYTES
from tachograph.schemas.event import Direction
from tachograph.schemas.payload import RequestMeta, ResponseMeta

__all__ = ["Recall"]

ASK_S = 20.0
"""How long Kafka may send nothing of records that it has."""
SLACK_MS = 50
"""Kafka's time of a record is later than its exchange's beginning, but for a clock that is set meanwhile."""
REACH = 20_000
"""Where that fails, so many records before the answer are looked through."""
_HEAD_BYTES = MAX_HEADER_BYTES + 8
"""Where the clear header lies, in which the exchange's id stands."""


class Recall:
    """Reads requests again; blocks, and serves one caller at a time."""

    def __init__(
        self,
        settings: dict[str, Any],
        cipher_for: Callable[[str], AESGCM],
        new_assembler: Callable[[], Assembler],
    ) -> None:
        self._settings = settings
        self._cipher_for = cipher_for
        self._new_assembler = new_assembler
        self._consumer: Consumer | None = None

    def __call__(self, place: Place, answer: Piece) -> Ready | None:
        """The request of this answer, put together; None where the topic has none. Raises `BrokerFault`."""
        try:
            for first in self._beginnings(place, answer):
                found = self._search(place, first, answer)
                if found is not None:
                    return found
        except KafkaException as error:
            raise BrokerFault(f"{place.topic}/{place.partition}: {error.args[0].str()}") from None
        return None

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def _beginnings(self, place: Place, answer: Piece) -> Iterator[int]:
        """Where the search begins, and where it begins again if that was in vain."""
        meta = answer.meta
        if isinstance(meta, ResponseMeta):
            moment = max(meta.timing.start // 1_000_000 - SLACK_MS, 0)
            since, reader = TopicPartition(place.topic, place.partition, moment), self._reader()
            (found,) = asked(lambda: reader.offsets_for_times([since], timeout=ASK_S))
            if 0 <= found.offset < answer.offset:
                yield found.offset
        yield max(answer.offset - REACH, 0)

    def _search(self, place: Place, first: int, answer: Piece) -> Ready | None:
        """Assemble the exchange's request from the records between `first` and the answer."""
        exchange, assembler = answer.header.exchange, self._new_assembler()
        wanted, collecting = str(exchange).encode(), False
        for message in self._between(place, first, answer.offset):
            value = message.value() or b""
            if wanted in value[:_HEAD_BYTES]:
                piece = self._piece(message, answer)
                if piece is None:
                    continue
                collecting = True
                for ready in assembler.take(piece).ready:
                    if isinstance(ready.piece.meta, RequestMeta):
                        return ready
            elif collecting:  # a body that waits too long is given up by the time of any record
                self._pass_time(assembler, value)
        return None

    def _piece(self, message: Message, answer: Piece) -> Piece | None:
        """The opened record, if it is one of the request's; what is poisoned was buried when it came."""
        try:
            record = parse_record(message.value())
            header = record.header
            if header.exchange != answer.header.exchange or header.direction is not Direction.REQUEST:
                return None
            return open_piece(record, message.offset() or 0, self._cipher_for)
        except Poisoned:
            return None

    @staticmethod
    def _pass_time(assembler: Assembler, value: bytes) -> None:
        try:
            assembler.pass_time(parse_record(value).header.ts)
        except Poisoned:
            return

    def _between(self, place: Place, first: int, end: int) -> Iterator[Message]:
        reader = self._reader()
        reader.assign([TopicPartition(place.topic, place.partition, first)])
        try:
            while True:
                message = reader.poll(ASK_S)
                if message is None or message.error() is not None:
                    raise BrokerFault(
                        f"{place.topic}/{place.partition}: nothing to be had from offset {first} within"
                        f" {ASK_S:.0f} s, though there are records up to {end}"
                    )
                if (message.offset() or 0) >= end:
                    return
                yield message
        finally:
            reader.unassign()

    def _reader(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **self._settings,
                    "group.id": "tacho-recall",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "allow.auto.create.topics": False,
                    "fetch.wait.max.ms": 10,
                    "error_cb": _quiet,
                }
            )
        return self._consumer


def _quiet(_: object) -> None:
    """librdkafka retries by itself; what it gives up comes back as an exception or as silence."""
