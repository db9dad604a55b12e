"""The escrow read from Kafka: the record of one value, and which are there of sessions to be erased."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.partition import ASK_SECONDS, WHOLE, messages_of
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.escrow import EscrowRecord

__all__ = ["EscrowSource"]

_NONE = KafkaError.UNKNOWN_TOPIC_OR_PART


class EscrowSource:
    """The escrow topic. Everything raises `LogUnreachable` where Kafka does not answer."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(dict(client) | WHOLE | {"group.id": f"{topic}.reader"})

    def close(self) -> None:
        self._consumer.close()

    def record(self, uid: str, index: int) -> EscrowRecord | None:
        """The newest record with this value; masking the same again may have sealed it twice."""
        middle = f"/{uid}/".encode()
        found: dict[bytes, tuple[int, EscrowRecord] | None] = {}
        for message in self._read(lambda key: middle in key):
            record = _record(message.value())
            held = record is not None and record.uid == uid and record.entry(index) is not None
            found[_key(message)] = (message.timestamp()[1], record) if record and held else None
        there = [item for item in found.values() if item is not None]
        return max(there, key=lambda item: item[0])[1] if there else None

    def names_of(self, sessions: Iterable[uuid.UUID]) -> list[tuple[int, bytes]]:
        """(partition, key) of every record of these sessions that has no tombstone yet."""
        prefixes = {str(session).encode() for session in sessions}
        there: dict[tuple[int, bytes], bool] = {}
        for message in self._read(lambda key: key.partition(b"/")[0] in prefixes):
            there[message.partition() or 0, _key(message)] = message.value() is not None
        return [name for name, alive in there.items() if alive]

    def _read(self, wanted: Callable[[bytes], bool]) -> Iterator[Message]:
        """Every message with a wanted key, from the beginning of each partition to its end."""
        for partition in self._partitions():
            for message in messages_of(self._consumer, self._topic, partition):
                if wanted(_key(message)):
                    yield message

    def _partitions(self) -> list[int]:
        try:
            found = self._consumer.list_topics(self._topic, timeout=ASK_SECONDS).topics[self._topic]
        except KafkaException:
            raise LogUnreachable("Kafka does not answer: `tacho status` says whether it runs") from None
        if found.error is not None and found.error.code() != _NONE:
            raise LogUnreachable(f"{self._topic}: {found.error.name()}: `tacho doctor` says more")
        return sorted(found.partitions)  # none where the topic was never made: then nothing is in it


def _key(message: Message) -> bytes:
    key = message.key()
    return key if isinstance(key, bytes) else b""


def _record(value: str | bytes | None) -> EscrowRecord | None:
    try:
        return EscrowRecord.decode(value) if isinstance(value, bytes) else None
    except MalformedRecord:
        return None  # no processor wrote it
