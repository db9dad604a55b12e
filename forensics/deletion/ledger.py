"""The Kafka side of a deletion: statements published and waited for until they are sealed; keys shredded.

`Ledger` remembers where the checkpoints topic ended before anything was published, so that waiting reads
only what came since.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tachograph.forensics.deletion.document import StatementDocument
from tachograph.forensics.errors import LogUnreachable, NotSealed
from tachograph.forensics.escrow_source import EscrowSource
from tachograph.forensics.partition import WHOLE, messages_of
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.topics import MAX_RECORD_BYTES, Topics

__all__ = ["Ledger"]

ASK_SECONDS = 15.0
TURN_SECONDS = 0.25
FLUSH_SECONDS = 30.0
BATCH = 1_000


class Ledger:
    """One deletion's access to the topics. Everything raises `LogUnreachable` where Kafka does not answer."""

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        self._topics = topics
        self._failed: KafkaError | None = None
        self._offsets: dict[int, int] = {}
        self._escrow = EscrowSource(client, topics.escrow)
        common = dict(client) | {"log_level": 0}
        self._consumer = Consumer(
            common | WHOLE | {"group.id": f"{topics.prefix}.deletion", "isolation.level": "read_committed"}
        )
        limits = {"acks": "all", "enable.idempotence": True, "message.max.bytes": MAX_RECORD_BYTES}
        self._producer = Producer(common | limits | {"message.timeout.ms": int(FLUSH_SECONDS * 1000)})

    def close(self) -> None:
        self._consumer.close()
        self._escrow.close()

    def publish(self, documents: Sequence[tuple[int, StatementDocument]]) -> dict[int, int]:
        """Each to its partition, acknowledged; the last offset by partition."""
        self._offsets = {}
        for partition, item in documents:
            headers: list[tuple[str, str | bytes | None]] = [
                ("uid", str(item.uid)),
                ("type", item.type),
                ("day", item.day),
                ("content-type", "application/json"),
            ]
            self._send(self._topics.masked, item.value, str(item.session), partition, headers)
        self._flush()
        return dict(self._offsets)

    def end(self) -> int:
        """Where the checkpoints topic ends now."""
        place, deadline = TopicPartition(self._topics.checkpoints, 0), time.monotonic() + ASK_SECONDS
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(place, timeout=ASK_SECONDS)[1])
            except KafkaException as error:
                # A partition whose leader is only being found says so for a moment.
                if time.monotonic() >= deadline:
                    raise LogUnreachable(f"{self._topics.checkpoints}: {_name(error)}") from None
            time.sleep(TURN_SECONDS)

    def wait(
        self,
        wanted: Mapping[str, int],
        *,
        start: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Until of each log (by origin) a checkpoint published from `start` on covers this offset.

        Raises `NotSealed` past this time.
        """
        left, deadline = dict(wanted), clock() + seconds
        self._consumer.assign([TopicPartition(self._topics.checkpoints, 0, start)])
        while left:
            for message in self._consumer.consume(BATCH, timeout=TURN_SECONDS):
                said = _checkpoint(message)
                if said is not None and (said.offset or 0) > left.get(said.origin, said.offset or 0):
                    del left[said.origin]
            if left and clock() >= deadline:
                raise NotSealed(
                    f"nothing was deleted: after {seconds:g} s no checkpoint of {', '.join(sorted(left))}"
                    " covers the published statement. Does `tacho seal` run? Then run the same command again"
                )

    def keys_of(self, sessions: Iterable[uuid.UUID]) -> list[bytes]:
        """The names of the wrapped data keys of these sessions that are there."""
        prefixes = {str(session).encode() for session in sessions}
        there: dict[bytes, bool] = {}
        for message in messages_of(self._consumer, self._topics.keys, 0):
            key = message.key()
            if isinstance(key, bytes) and key.partition(b"/")[0] in prefixes:
                there[key] = message.value() is not None
        return [key for key, alive in there.items() if alive]

    def shred(self, names: Sequence[bytes]) -> None:
        """Tombstones: with its key gone, a strand's raw bytes are noise wherever copies of them linger."""
        for name in names:
            self._send(self._topics.keys, None, name, 0, [])
        self._flush()

    def release(self, sessions: Iterable[uuid.UUID]) -> int:
        """Tombstones for all that the escrow holds of these sessions; how many there were."""
        names = self._escrow.names_of(sessions)
        for partition, name in names:
            self._send(self._topics.escrow, None, name, partition, [])
        self._flush()
        return len(names)

    def _send(
        self,
        topic: str,
        value: bytes | None,
        key: str | bytes,
        partition: int,
        headers: list[tuple[str, str | bytes | None]],
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition=partition, headers=headers, on_delivery=self._delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise LogUnreachable(f"{topic}: {_name(error)}") from None
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed = error
            return
        partition, offset = message.partition() or 0, message.offset() or 0
        self._offsets[partition] = max(offset, self._offsets.get(partition, 0))

    def _flush(self) -> None:
        waiting, failed = self._producer.flush(FLUSH_SECONDS), self._failed
        if waiting or failed is not None:
            raise LogUnreachable(f"Kafka did not acknowledge: {failed.name() if failed else 'no answer'}")


def _checkpoint(message: Message) -> Checkpoint | None:
    value = message.value()
    if message.error() is not None or not isinstance(value, bytes):
        return None
    try:
        return Checkpoint.parse(value.decode("utf-8", "replace").rpartition("\n\n")[0] + "\n")
    except MalformedRecord:
        return None  # a time stamp, or nothing of ours


def _name(error: KafkaException) -> str:
    cause = error.args[0] if error.args else None
    return str(cause.name()) if isinstance(cause, KafkaError) else "no answer"
