"""The copy of the checkpoints: what was published is in the index, whoever was killed meanwhile."""

from __future__ import annotations

import hashlib
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from authority import Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.processors.sealing.anchoring import Offer, Publisher
from tachograph.processors.sealing.worker import Sealer, World
from tachograph.schemas.checkpoint import STAMPED, Checkpoint
from tachograph.schemas.merkle import EMPTY_ROOT
from tachograph.schemas.note import NoteSigner, SignatureKind
from tachograph.schemas.sealing_settings import Sealing
from tachograph.sinks.checkpoint_copy import CheckpointCopy, Copying
from tachograph.sinks.errors import CallRefused, OperatorError, Stopping, Unavailable
from tachograph.sinks.record import Message

Make = Callable[..., Message]
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
WITNESSES = [
    NoteSigner(name, Ed25519PrivateKey.from_private_bytes(name.encode() * 16), SignatureKind.COSIGNATURE)
    for name in ("w1", "w2")
]
SAID = Checkpoint("log.example/0", 0, EMPTY_ROOT, time="2026-11-23T06:00:00Z", offset=0)
NOTE = NoteSigner("log.example/0", LOG_KEY).sign(SAID.text())


class Told:
    """What metrics would have counted, and the waits."""

    def __init__(self) -> None:
        self.results: list[tuple[str, int]] = []
        self.reasons: list[str] = []
        self.waits: list[float] = []

    def settled(self, result: str, count: int) -> None:
        self.results.append((result, count))

    def retrying(self, reason: str) -> None:
        self.reasons.append(reason)


def copy(documents: Any, told: Told) -> CheckpointCopy:
    return CheckpointCopy("t-checkpoints", documents, told, told.waits.append, random.Random(1))


def test_it_tries_until_opensearch_has_taken_it(memory: Any, message: Make) -> None:
    """No answer, a refusal, an item that waits: each is tried again, and nothing counts before."""
    told = Told()
    memory.faults = [Unavailable("away"), CallRefused(403, "security_exception")]
    memory.item_faults = [(503, "unavailable_shards_exception")]
    copy(memory, told).deliver([message(NOTE.encode(), key=SAID.key.encode()), message(b"strange")])
    assert told.reasons == [
        "checkpoints-unavailable",
        "checkpoints-refused-403",
        "checkpoints-unavailable",
    ]
    assert len(told.waits) == 3
    assert told.results == [("checkpoint", 2)]
    (document,) = memory.documents.values()
    assert orjson.loads(document)["note"] == NOTE


def test_what_is_there_is_not_written_again(memory: Any, message: Make) -> None:
    """A replay of the topic moves no version."""
    told = Told()
    for _ in range(2):
        copy(memory, told).deliver([message(NOTE.encode(), key=SAID.key.encode())])
    assert len(memory.calls) == 1
    assert told.results == [("checkpoint", 1)] * 2


def test_what_is_no_checkpoint_costs_no_call(memory: Any, message: Make) -> None:
    """It is passed over, and counted as read."""
    told = Told()
    copy(memory, told).deliver([message(b"strange")])
    assert memory.calls == []
    assert told.results == [("checkpoint", 1)]


class Scripted:
    """A source whose first reading does what a test says."""

    def __init__(self, read: Callable[[float], list[Message]]) -> None:
        self.read = read
        self.acknowledged: list[Message] = []
        self.closed = threading.Event()

    def subscribe(self) -> None: ...

    def acknowledge(self, messages: Any) -> None:
        self.acknowledged += messages

    def commit(self) -> None: ...

    def close(self) -> None:
        self.closed.set()


def test_a_fault_that_it_cannot_mend_ends_the_process(memory: Any) -> None:
    """It sets `stop`, and is raised where the process ends, not lost in a thread."""

    def fatal(_: float) -> list[Message]:
        raise OperatorError("Kafka ended this consumer")

    source, stop = Scripted(fatal), threading.Event()
    copying = Copying(source, copy(memory, Told()), stop)  # type: ignore[arg-type]  # a source on paper
    copying.start()
    assert stop.wait(30)
    assert source.closed.wait(30)
    with pytest.raises(OperatorError):
        copying.close()


def test_it_ends_in_the_middle_of_trying_and_acknowledges_nothing(memory: Any, message: Make) -> None:
    """What OpenSearch has not taken is read again."""
    source = Scripted(lambda _: [message(NOTE.encode())])
    stop, trying = threading.Event(), threading.Event()

    def wait(_: float) -> None:
        trying.set()
        assert stop.wait(30)
        raise Stopping

    memory.faults = [Unavailable("away")] * 10
    made = CheckpointCopy("t-checkpoints", memory, Told(), wait, random.Random(1))
    copying = Copying(source, made, stop)  # type: ignore[arg-type]  # a source on paper
    copying.start()
    assert trying.wait(30)
    copying.close()
    assert source.closed.wait(30)
    assert source.acknowledged == []


def sealed(world: Any, count: int) -> list[Offer]:
    """Seal what was written to the masked topic; the checkpoints that were committed."""
    offers: list[Offer] = []
    sealer = Sealer(
        world.kafka,
        world.topics,
        Sealing(checkpoint_leaves=1, checkpoint_seconds=600),
        signers=lambda origin: NoteSigner(origin, LOG_KEY),
        world=World(offer=offers.append),
    )
    try:
        sealer.subscribe()
        end = time.monotonic() + 120
        while sealer.sealed < count:
            assert time.monotonic() < end
            sealer.turn()
    finally:
        sealer.close()
    return offers


@pytest.mark.engines
def test_every_published_checkpoint_is_in_the_index(world: Any, message: Make, eventually: Any) -> None:
    """A sealing worker's, then with each cosignature and its time stamp, also across a kill -9; gaps that
    transactions leave among the offsets are no loss."""
    world.put([message(key=b"one")])
    offers = sealed(world, 1)
    (offer,) = (each for each in offers if each.said.size)
    text = offer.said.text()
    uid = hashlib.sha256(text.encode()).hexdigest()

    def stored() -> dict[str, Any]:
        found = world.cluster.source(f"{world.prefix}-checkpoints", uid)
        return {} if found is None else dict(orjson.loads(found))

    first = world.sink()
    eventually(lambda: stored().get("signers") == [offer.said.origin], "the checkpoint indexed")
    assert (stored()["note"], stored()["size"], stored()["stamped"]) == (offer.note, 1, False)
    publish = Publisher(world.kafka, world.topics)
    one, two = (offer.note + witness.cosignature(text, at=1_795_413_700) for witness in WITNESSES)
    publish(offer.said.key, one.encode())
    eventually(lambda: stored()["note"] == one, "the first cosignature indexed")
    first.end(signal.SIGKILL)
    publish(offer.said.key, two.encode())
    publish(offer.said.key + STAMPED, Authority(1).stamp(text, at=datetime(2026, 11, 23, 6, 1, tzinfo=UTC)))
    second = world.sink()
    eventually(lambda: stored()["stamped"], "the time stamp noted")
    assert stored()["signers"] == [offer.said.origin, "w1", "w2"]
    assert second.end() == 0
    assert "deleted before they were read" not in first.log + second.log
    assert world.count("checkpoints") == len({each.said.text() for each in offers})
