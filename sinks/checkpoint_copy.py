"""The copy of the published checkpoints in OpenSearch: a consumer of its own, in a thread beside the lanes.

The topic has one partition, so one sink of all copies at a time. What was read is committed only when
OpenSearch has acknowledged it; what was read twice is found there and changes nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from tachograph.schemas.config import Configuration
from tachograph.sinks.backoff import delays
from tachograph.sinks.batch import Batcher
from tachograph.sinks.checkpoints import (
    Publication,
    ask_body,
    check_written,
    grown,
    read_publication,
    read_stored,
    write_body,
)
from tachograph.sinks.consumer import Source, settings
from tachograph.sinks.deliver import Documents
from tachograph.sinks.errors import CallRefused, Stopping, Unavailable
from tachograph.sinks.index_templates import CHECKPOINTS
from tachograph.sinks.record import Message

__all__ = ["CheckpointCopy", "Copying", "checkpoint_source"]

log = structlog.get_logger(__name__)

READ_SECONDS = 0.25
CLOSE_SECONDS = 2.0
"""How long a write under way may still take at the end; what it did not commit is read again."""


class Counts(Protocol):
    """What metrics and health want to know."""

    def settled(self, result: str, count: int) -> None: ...

    def retrying(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class CheckpointCopy:
    """From messages to documents. `wait` sleeps for seconds and raises `Stopping` when the process ends."""

    index: str
    documents: Documents
    counts: Counts
    wait: Callable[[float], None]
    rng: random.Random

    def deliver(self, messages: Sequence[Message]) -> None:
        """Returns when OpenSearch has all of it; tries again without end. Raises `Stopping`."""
        publications = [found for message in messages if (found := _read(message)) is not None]
        for pause in delays(self.rng):
            try:
                self._store(publications)
            except Unavailable:
                reason = "checkpoints-unavailable"
            except CallRefused as refusal:
                reason = f"checkpoints-refused-{refusal.status}"
            else:
                self.counts.settled("checkpoint", len(messages))
                return
            self.counts.retrying(reason)
            self.wait(pause)

    def _store(self, publications: Sequence[Publication]) -> None:
        uids = list(dict.fromkeys(item.uid for item in publications))
        if not uids:
            return
        stored = read_stored(uids, self.documents.mget(ask_body(self.index, uids)))
        before = {uid: found.entry for uid, found in stored.items() if found.entry is not None}
        entries, strays = grown(before, publications)
        if strays:
            log.warning("time stamps over no checkpoint that is in the index", count=len(strays))
        changed = {uid: entry for uid, entry in entries.items() if before.get(uid) != entry}
        if changed:
            check_written(list(changed), self.documents.bulk(write_body(self.index, changed, stored)))


class Copying:
    """The thread: reads, delivers, commits, until `stop`; a fault that it cannot mend sets `stop` itself."""

    def __init__(self, source: Source, copy: CheckpointCopy, stop: threading.Event) -> None:
        self._source, self._copy, self._stop = source, copy, stop
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Join the group and copy."""
        self._thread.start()

    def close(self) -> None:
        """End within `CLOSE_SECONDS`; raises what ended the thread."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            self._source.subscribe()
            while not self._stop.is_set():
                self._turn()
        except Stopping:
            pass
        except BaseException as fault:  # noqa: BLE001  it is raised where the process ends
            self._fault = fault
            self._stop.set()
        finally:
            self._source.close()

    def _turn(self) -> None:
        batcher = Batcher()
        for message in self._source.read(READ_SECONDS):
            batcher.add(message, now=0.0)
        while messages := batcher.take().messages:
            self._copy.deliver(messages)
            self._source.acknowledge(messages)
        self._source.commit()


def checkpoint_source(config: Configuration, client: Mapping[str, Any], *, group: str) -> Source:
    """The checkpoints topic, whose committed transactions alone count."""
    return Source(
        settings(client, group=f"{group}.{CHECKPOINTS}") | {"isolation.level": "read_committed"},
        config.kafka.topics.checkpoints,
        dropped=lambda _: None,
        transactional=True,
    )


def _read(message: Message) -> Publication | None:
    found = read_publication(message.key, message.value)
    if found is None:
        log.warning("no checkpoint; it is passed over", partition=message.partition, offset=message.offset)
    return found
