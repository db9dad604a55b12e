"""Checkpoints taken to those who vouch for them, beside the sealing, which never waits.

Each anchor has a lane: a thread, and for each log the one checkpoint that it is to ask about next. A newer
one takes the place of one that still waits, so nothing grows while an anchor is down. What it says is
published behind the checkpoint (docs/spec/log.md); a reader puts the two together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tachograph.processors.errors import AnchorFault, BrokerFault, HistoryDisputed
from tachograph.processors.sealing.asking import Caller, http_client
from tachograph.processors.sealing.cosigning import Witness
from tachograph.processors.sealing.history import History
from tachograph.processors.sealing.metrics import Metrics
from tachograph.processors.sealing.stamping import Authority
from tachograph.schemas.checkpoint import STAMPED, Checkpoint
from tachograph.schemas.note import NoteKey
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics

__all__ = ["Anchor", "Anchors", "Lane", "Offer", "Publisher", "Stamps", "Witnessing", "anchors_of"]

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 3.0
"""How long a lane may take to finish when the worker stops; what it did not publish is asked for again."""
PUBLISH_SECONDS = 15.0
Publish = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint that was committed, and the partition whose log it is of."""

    partition: int
    said: Checkpoint
    note: str


class Anchor(Protocol):
    """Somebody who vouches for checkpoints."""

    name: str

    def vouch(self, offer: Offer) -> tuple[str, bytes] | None:
        """What is to be published, key and value; None where nothing is due. Raises `ProcessorError`."""
        ...

    def close(self) -> None: ...


class Witnessing:
    """A witness, and what proves to it how a log grew."""

    def __init__(self, witness: Witness, history: History) -> None:
        self.name = witness.key.name
        self._witness, self._history = witness, history

    def vouch(self, offer: Offer) -> tuple[str, bytes] | None:
        def prove(old: int, new: int) -> tuple[bytes, ...]:
            return self._history.proof(offer.partition, old, new)

        line = self._witness.cosign(offer.note, offer.said, prove)
        return offer.said.key, (offer.note + line).encode()

    def close(self) -> None:
        self._history.close()


class Stamps:
    """A time-stamp authority, asked about one checkpoint of each log in `seconds` of a monotonic clock."""

    name = "timestamp"

    def __init__(self, authority: Authority, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self._authority, self._seconds, self._monotonic = authority, seconds, monotonic
        self._at: dict[int, float] = {}

    def vouch(self, offer: Offer) -> tuple[str, bytes] | None:
        now, last = self._monotonic(), self._at.get(offer.partition)
        if last is not None and now - last < self._seconds:
            return None
        token = self._authority.stamp(offer.note, offer.said)
        self._at[offer.partition] = now
        return offer.said.key + STAMPED, token

    def close(self) -> None:
        """Nothing is held."""


class Lane:
    """One anchor's thread. `stop` is shared with the waits within the anchor."""

    def __init__(self, anchor: Anchor, publish: Publish, metrics: Metrics, stop: threading.Event) -> None:
        self._anchor, self._publish, self._metrics, self._stop = anchor, publish, metrics, stop
        self._waiting: dict[int, Offer] = {}
        self._changed = threading.Condition()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"anchor {anchor.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, offer: Offer) -> None:
        """This is the newest checkpoint of its log; at once."""
        with self._changed:
            if self._waiting.pop(offer.partition, None) is not None:
                self._metrics.anchors.labels(self._anchor.name, "skipped").inc()
            self._waiting[offer.partition] = offer
            self._changed.notify()

    def close(self) -> None:
        """End, within `CLOSE_SECONDS`; `stop` is set."""
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (offer := self._next()) is not None:
            self._take(offer)
        self._anchor.close()

    def _next(self) -> Offer | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stop.is_set())
            if self._stop.is_set():
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _take(self, offer: Offer) -> None:
        try:
            said = self._anchor.vouch(offer)
            if said is not None:
                self._publish(*said)
                self._count("anchored")
        except (AnchorFault, BrokerFault) as fault:
            self._failed(str(fault), grave=isinstance(fault, HistoryDisputed))
        except Exception as error:  # noqa: BLE001  a defect of ours ends no lane: the log goes on without it
            self._failed(f"defect: {type(error).__name__}", grave=True)

    def _failed(self, reason: str, *, grave: bool) -> None:
        self._count("failed")
        # An anchor that is down is said once; that logs were altered is said each time.
        tell = log.error if grave else log.debug if self._failing else log.warning
        tell("no anchor for a checkpoint; the next is tried", anchor=self._anchor.name, reason=reason)
        self._failing = True

    def _count(self, result: str) -> None:
        self._metrics.anchors.labels(self._anchor.name, result).inc()
        if result == "anchored" and self._failing:
            self._failing = False
            log.info("checkpoints are anchored again", anchor=self._anchor.name)


class Anchors:
    """All lanes of one process. Without anchors it does nothing."""

    def __init__(
        self, lanes: Sequence[Lane], stop: threading.Event, *, http: httpx.Client | None = None
    ) -> None:
        self._lanes, self._stop, self._http = lanes, stop, http
        for lane in lanes:
            lane.start()

    def offer(self, offer: Offer) -> None:
        """Have a committed checkpoint anchored, some time; returns at once."""
        for lane in self._lanes:
            lane.offer(offer)

    def close(self) -> None:
        self._stop.set()
        for lane in self._lanes:
            lane.close()
        if self._http is not None:
            self._http.close()


class Publisher:
    """Writes to the checkpoints topic, and returns when it is there. Thread-safe."""

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        ours = {"acks": "all", "enable.idempotence": True, "compression.type": "lz4", "log_level": 0}
        self._producer = Producer(dict(client) | ours)
        self._topic = topics.checkpoints

    def __call__(self, key: str, value: bytes) -> None:
        """Raises `BrokerFault`."""
        outcome: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            outcome.append(error)

        try:
            self._producer.produce(self._topic, value, key.encode(), partition=0, on_delivery=delivered)
        except (BufferError, KafkaException):
            raise BrokerFault(f"{self._topic}: takes nothing") from None
        self._producer.flush(PUBLISH_SECONDS)
        if not outcome or outcome[0] is not None:
            raise BrokerFault(
                f"{self._topic}: {outcome[0].name() if outcome and outcome[0] else 'no answer'}"
            )


def anchors_of(sealing: Sealing, client: Mapping[str, Any], topics: Topics, metrics: Metrics) -> Anchors:
    """A lane for each witness and for the time-stamp authority of the configuration."""
    stop = threading.Event()
    if not sealing.witnesses and sealing.timestamp_url is None:
        return Anchors((), stop)
    found: list[Anchor] = []
    http, publish = http_client(), Publisher(client, topics)
    for item in sealing.witnesses:
        caller = Caller(http, f"{item.url}/add-checkpoint", wait=stop.wait)
        found.append(Witnessing(Witness(caller, NoteKey.parse(item.key)), History(client, topics)))
    if sealing.timestamp_url is not None:
        authority = Authority(Caller(http, sealing.timestamp_url, wait=stop.wait))
        found.append(Stamps(authority, seconds=sealing.timestamp_seconds, monotonic=time.monotonic))
    return Anchors([Lane(item, publish, metrics, stop) for item in found], stop, http=http)
