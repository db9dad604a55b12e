"""Collect everything that is kept after a run: topics, documents, files. Reads only; judges nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from tachograph.cli.errors import PartDown
from tachograph.processors.asking import partitions, span
from tachograph.processors.errors import BrokerFault

__all__ = ["Message", "files", "read_topic"]

READ_SECONDS = 30.0
_POLL = 0.1
MAX_FILE = 512 << 20
"""Of a larger file only the beginning is searched; a demo makes none."""
_INDEX_SUFFIXES = (".index", ".timeindex", ".snapshot", ".txnindex")
"""Kafka's own bookkeeping beside its log segments: offsets and times, preallocated."""


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka message with everything that it carries."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str:
        """A header's text, empty where there is none."""
        return next((value.decode() for key, value in self.headers if key == name), "")

    @property
    def everything(self) -> bytes:
        return b"\n".join((self.key, self.value, *(value for _, value in self.headers)))

    def __repr__(self) -> str:
        return f"Message(value=<{len(self.value)} bytes>)"


def read_topic(
    bootstrap_servers: str, topic: str, *, clock: Callable[[], float] = time.monotonic
) -> list[Message]:
    """Every message from the beginning to the present end; raises PartDown when they do not come in time."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "tacho-demo-evidence",  # never committed
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
            "log_level": 0,
        }
    )
    try:
        return list(_messages(consumer, topic, clock() + READ_SECONDS, clock))
    except KafkaException as error:
        raise PartDown(f"topic {topic} cannot be read: {error.args[0].name()}") from None
    except BrokerFault as error:
        raise PartDown(f"topic {topic} cannot be read: {error}") from None
    finally:
        consumer.close()


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every regular file below a folder (links to folders are followed once) with its bytes."""
    for path in sorted(folder.rglob("*")) if not folder.is_symlink() else sorted(folder.resolve().rglob("*")):
        if path.is_symlink() and path.is_dir():
            yield from files(path.resolve())
        elif path.is_file() and not path.name.endswith(_INDEX_SUFFIXES):
            try:
                with path.open("rb") as file:
                    yield path, file.read(MAX_FILE)
            except FileNotFoundError:  # merged or deleted meanwhile
                continue


def _messages(
    consumer: Consumer, topic: str, deadline: float, clock: Callable[[], float]
) -> Iterator[Message]:
    ends = _ends(consumer, topic, deadline - clock())
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
    left = {partition for partition, (low, high) in ends.items() if high > low}
    while left:
        if clock() > deadline:
            raise PartDown(f"topic {topic} could not be read within {READ_SECONDS:.0f} s")
        for message in consumer.consume(500, _POLL):
            if message.error() is None:
                yield Message(_bytes(message.key()), _bytes(message.value()), _headers(message))
        at = {place.partition: place.offset for place in consumer.position(consumer.assignment())}
        left = {partition for partition in left if at.get(partition, -1) < ends[partition][1]}


def _headers(message: KafkaMessage) -> tuple[tuple[str, bytes], ...]:
    found = message.headers() or []
    return tuple(
        (name, _bytes(value)) for name, value in (found.items() if isinstance(found, dict) else found)
    )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _ends(consumer: Consumer, topic: str, seconds: float) -> dict[int, tuple[int, int]]:
    places = partitions(consumer, topic, timeout_s=seconds)
    return {place.partition: span(consumer, place, timeout_s=seconds) for place in places}
