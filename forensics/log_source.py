"""The seal log read from Kafka: only what was committed, from its beginning to its end when it was asked.

Beside it the dead letters, which have the documents that OpenSearch refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException

from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.partition import ASK_SECONDS, WHOLE, messages_of
from tachograph.forensics.published import Published, collect
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.topics import Topics

__all__ = ["DeadLetter", "LogSource"]

_UID = re.compile(rb'"uid":"([0-9a-f-]{36})"')
_HASH = re.compile(rb'"leaf":"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One that names a record by its uid. `repr` shows no content."""

    uid: str
    value: bytes = field(repr=False)
    key: bytes | None = field(repr=False)
    headers: Mapping[str, bytes] = field(repr=False)


class LogSource:
    """Leaves and checkpoints of one topic prefix. `client` are librdkafka settings for the connection."""

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        self._topics = topics
        self._consumer = Consumer(
            dict(client)
            | WHOLE
            | {"group.id": f"{topics.prefix}.export", "isolation.level": "read_committed"}
        )

    def close(self) -> None:
        self._consumer.close()

    def partitions(self) -> int:
        """How many logs there are. Raises `LogUnreachable`."""
        try:
            found = self._consumer.list_topics(self._topics.leaves, timeout=ASK_SECONDS)
        except KafkaException:
            raise LogUnreachable("Kafka does not answer: `tacho status` says whether it runs") from None
        topic = found.topics[self._topics.leaves]
        if topic.error is not None:
            raise LogUnreachable(f"{self._topics.leaves}: {topic.error.name()}: `tacho doctor` says more")
        return len(topic.partitions)

    def leaves(
        self, partition: int, session: str, also: Collection[str] = ()
    ) -> tuple[list[bytes], tuple[Leaf, ...]]:
        """A partition's leaf hashes, as far as they follow one another from 0, and the leaves of the session
        and of the uids in `also`."""
        wanted = f'"session":"{session}"'.encode()
        hashes: list[bytes] = []
        ours: list[Leaf] = []
        whole = True
        for number, message in enumerate(messages_of(self._consumer, self._topics.leaves, partition)):
            value = message.value() or b""
            found = _HASH.search(value)
            whole = whole and found is not None and f'"index":{number},'.encode() in value
            if found is not None and whole:
                hashes.append(bytes.fromhex(found[1].decode()))
            uid = _UID.search(value) if also else None
            if wanted in value or (uid is not None and uid[1].decode() in also):
                ours.append(Leaf.parse(value))
        return hashes, tuple(ours)

    def values(self, partition: int) -> Iterator[bytes]:
        """Every leaf record of a partition as it is stored, in order."""
        return (
            _bytes(message.value()) for message in messages_of(self._consumer, self._topics.leaves, partition)
        )

    def values_with_frontiers(self, partition: int) -> Iterator[tuple[bytes, bytes | None]]:
        """The same, each with the frontier that its writer put beside it; seldom one has it."""
        for message in messages_of(self._consumer, self._topics.leaves, partition):
            said = dict(message.headers() or ()).get("frontier")
            yield _bytes(message.value()), said if isinstance(said, bytes) else None

    def checkpoints(self) -> Mapping[str, Sequence[Published]]:
        """Every checkpoint by its log's origin, in the order of their publication."""
        messages = messages_of(self._consumer, self._topics.checkpoints, 0)
        return collect((_bytes(message.key()), _bytes(message.value())) for message in messages)

    def dead_letters(self, uids: Collection[str]) -> Iterator[DeadLetter]:
        """Every one of these records, as long as their topic keeps it; one may come twice."""
        try:
            found = self._consumer.list_topics(self._topics.deadletter, timeout=ASK_SECONDS)
        except KafkaException:
            raise LogUnreachable("Kafka does not answer: `tacho status` says whether it runs") from None
        for partition in found.topics[self._topics.deadletter].partitions:
            for message in messages_of(self._consumer, self._topics.deadletter, partition):
                said = dict(message.headers() or ()).items()
                headers = {name: value for name, value in said if isinstance(value, bytes)}
                uid = headers.get("uid", b"").decode("ascii", "replace")
                if uid in uids:
                    key = message.key()
                    yield DeadLetter(
                        uid, _bytes(message.value()), None if key is None else _bytes(key), headers
                    )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
