"""The wrapped data keys as they lie on the keys topic: read whole, and written anew under another key.

Nothing brings a shredded key back: where a value stands behind a tombstone of the same name, because the two
were written at once, the next reading finds it, and a further tombstone follows. Hence whoever has written
reads again before they end: of the two, only the log knows which came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.partition import WHOLE, messages_of
from tachograph.schemas.errors import SchemaError
from tachograph.schemas.key_ring import KeyRing
from tachograph.schemas.keys import WrappedKey

__all__ = ["KeyTopic", "Rewrapping", "revived", "rewrapping"]

FLUSH_SECONDS = 30.0


@dataclass(slots=True)
class Rewrapping:
    """What one reading of the topic asks for: a new value by name, None for a tombstone."""

    kek: str
    """What wraps now."""
    writes: dict[bytes, bytes | None] = field(default_factory=dict)
    current: int = 0
    unknown: int = 0
    """Wrapped by a key that is neither the current nor a previous one, or no wrapped key at all."""


class KeyTopic:
    """One keys topic, of one partition. Everything raises `LogUnreachable` where Kafka does not answer."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._failed: KafkaError | None = None
        common = dict(client) | {"log_level": 0}
        self._consumer = Consumer(common | WHOLE | {"group.id": f"{topic}.rewrap"})
        limits = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": int(FLUSH_SECONDS * 1000)}
        self._producer = Producer(common | limits)

    def close(self) -> None:
        self._consumer.close()

    def read(self) -> list[tuple[bytes, bytes | None]]:
        """Name and value of every message in order, ours included; a tombstone has no value."""
        self._producer.flush(FLUSH_SECONDS)  # of a writing that was broken off nothing may come behind
        self._failed = None
        found = ((message.key(), message.value()) for message in messages_of(self._consumer, self._topic, 0))
        return [
            (key, value if isinstance(value, bytes) else None)
            for key, value in found
            if isinstance(key, bytes)
        ]

    def write(self, values: Mapping[bytes, bytes | None]) -> None:
        """Each under its name; returns when all are acknowledged."""
        for name, value in values.items():
            while True:
                try:
                    self._producer.produce(self._topic, value, name, partition=0, on_delivery=self._delivered)
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    raise LogUnreachable(f"{self._topic}: {error.args[0].name()}") from None
                else:
                    break
        waiting = self._producer.flush(FLUSH_SECONDS)
        if waiting or self._failed is not None:
            why = self._failed.name() if self._failed else "no answer"
            raise LogUnreachable(f"Kafka did not acknowledge ({why}): run the same command again")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._failed = error or self._failed


def revived(messages: list[tuple[bytes, bytes | None]]) -> dict[bytes, bytes | None]:
    """A tombstone for each name that has a value again behind one."""
    shredded = {name for name, value in messages if value is None}
    return {name: None for name, value in dict(messages).items() if value is not None and name in shredded}


def rewrapping(messages: list[tuple[bytes, bytes | None]], keys: KeyRing) -> Rewrapping:
    """What is to be written so that the current key wraps all that is there, and all shredded stays so."""
    found = Rewrapping(keys.current(), revived(messages))
    for name, value in dict(messages).items():
        if value is None or name in found.writes:
            continue
        try:
            key = WrappedKey.decode(value)
            again = None if key.kek == found.kek else keys.rewrap(key).encode()
        except SchemaError:
            found.unknown += 1
            continue
        if again is None:
            found.current += 1
        else:
            found.writes[name] = again
    return found
