"""Writes registries on the control topic under their digests: whoever masks looks up there what is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tachograph.ingress.errors import RegistryAway
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import ControlKey

__all__ = ["Snapshots"]

WRITE_SECONDS = 5.0
"""How long Kafka may take; then the caller tries again."""
LOOK_SECONDS = 0.1
MAX_MESSAGE_BYTES = 4 << 20


class Snapshots:
    """The writing end. A producer lives for one snapshot: they are as rare as changes of the file."""

    def __init__(self, settings: Mapping[str, object], topic: str, key: ControlKey) -> None:
        self._settings = {**settings, **_OURS}
        self._topic = topic
        self._key = key

    def write(self, data: bytes, *, stopping: Callable[[], bool]) -> None:
        """Return when Kafka has it on disk, in all replicas in sync. Raises `RegistryAway`."""
        digest = sha256_hex(data)
        told: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            told.append(error)

        try:
            producer = Producer(self._settings)
            producer.produce(
                self._topic, key=digest, value=self._key.seal(digest, data), on_delivery=delivered
            )
            deadline = time.monotonic() + WRITE_SECONDS
            while not told and time.monotonic() < deadline and not stopping():
                producer.poll(LOOK_SECONDS)
            if not told:
                producer.purge()
        except KafkaException as error:
            told = [error.args[0]]
        problem = told[0] if told else KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001  the client's own name
        if problem is not None:
            raise RegistryAway(
                f"{self._topic}: Kafka answers {problem.name()}; is it up, is the topic there"
                " (`tacho provision`), and may the ingress write to it?"
            )


_OURS: dict[str, object] = {
    "client.id": "tacho-snapshots",
    "acks": "all",
    "enable.idempotence": True,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "message.timeout.ms": int(WRITE_SECONDS * 1000),
    "log_level": 0,  # what it would say comes back in words of our own
}
