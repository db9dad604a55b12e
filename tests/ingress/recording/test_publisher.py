"""The publisher against a real broker: order, missing topics, entries that it never takes, no broker."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient, NewTopic

from tachograph.ingress.recording.kafka_settings import producer_settings
from tachograph.ingress.recording.publisher import DEADLETTER_VALUE_BYTES, Publisher, dead_letter
from tachograph.ingress.spool.backlog import Queued
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.config import Kafka
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

SECONDS = 60.0
NARROW = {"max.message.bytes": "20000"}
Read = Callable[[str], list[Message]]


class Entries:
    """A source in memory."""

    def __init__(self, entries: list[SpoolEntry]) -> None:
        self.waiting = [Queued(entry, number) for number, entry in enumerate(entries)]
        self.acknowledged: list[int] = []
        self.aside: list[str] = []
        self.count = len(entries)
        self._lock = threading.Lock()

    def take(self, max_bytes: int, *, timeout: float) -> list[Queued]:
        with self._lock:
            taken, self.waiting = self.waiting[:50], self.waiting[50:]
        if not taken:
            time.sleep(0.01)  # stands for the spool's bounded wait
        return taken

    def acknowledge(self, queued: Queued) -> None:
        with self._lock:
            self.acknowledged.append(queued.index if queued.index is not None else -1)

    def set_aside(self, entry: SpoolEntry, reason: str) -> None:
        self.aside.append(reason)

    @property
    def done(self) -> bool:
        return len(self.acknowledged) == self.count


@contextmanager
def publishing(source: Entries, kafka: Kafka, tmp_path: Path) -> Iterator[Publisher]:
    publisher = Publisher(
        source, settings=producer_settings(kafka, base=tmp_path), deadletter=kafka.topics.deadletter
    )
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop(timeout=SECONDS, empty=lambda: source.done)


def publish(source: Entries, kafka: Kafka, tmp_path: Path) -> Publisher:
    with publishing(source, kafka, tmp_path) as publisher:
        pass
    assert source.done, publisher.status
    return publisher


@pytest.mark.engines
def test_the_order_of_each_key_is_kept(tmp_path: Path, kafka: Kafka, read_topic: Read) -> None:
    """Entries of one key arrive in the order of the spool, each once, with their headers."""
    keys = [uuid.uuid4().bytes for _ in range(7)]
    entries = [
        SpoolEntry(kafka.topics.raw, keys[number % 7], str(number).encode(), (("uid", b"u"),))
        for number in range(2000)
    ]
    status = publish(Entries(entries), kafka, tmp_path).status
    assert (status.connected, status.delivered, status.dead) == (True, 2000, 0)
    messages = read_topic(kafka.topics.raw)
    assert len(messages) == 2000
    assert {tuple(message.headers()) for message in messages} == {(("uid", b"u"),)}
    for number, key in enumerate(keys):
        values = [int(message.value()) for message in messages if message.key() == key]
        assert values == list(range(number, 2000, 7))


@pytest.mark.engines
def test_a_missing_topic_is_named_and_waited_for(tmp_path: Path, kafka: Kafka, read_topic: Read) -> None:
    """Without the topic nothing is lost: the problem says `tacho provision`; then all arrives in order."""
    topic = f"{kafka.topic_prefix}.later"
    source = Entries([SpoolEntry(topic, b"k", str(number).encode()) for number in range(100)])
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    with publishing(source, kafka, tmp_path) as publisher:
        deadline = time.monotonic() + SECONDS
        while "tacho provision" not in publisher.status.problem:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert topic in publisher.status.problem
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SECONDS)
    assert source.done
    assert publisher.status.problem == ""
    assert [int(message.value()) for message in read_topic(topic)] == list(range(100))
    admin.delete_topics([topic])[topic].result(SECONDS)


@pytest.mark.engines
@pytest.mark.parametrize("length", [50_000, DEADLETTER_VALUE_BYTES + 1], ids=["fits", "too long"])
def test_what_kafka_never_takes_goes_to_the_dead_letter(
    tmp_path: Path, kafka: Kafka, read_topic: Read, length: int
) -> None:
    """An entry above the topic's limit lands in the dead letter with the reason and blocks nobody."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    topic = f"{kafka.topic_prefix}.narrow"
    TopicAdmin({"bootstrap.servers": kafka.bootstrap_servers}).create(TopicSpec(topic, 1, NARROW))
    small = [SpoolEntry(topic, b"k", str(number).encode()) for number in range(5)]
    large = SpoolEntry(topic, b"k", b"x" * length, (("uid", b"the-uid"),))
    source = Entries([*small[:3], large, *small[3:]])
    publisher = publish(source, kafka, tmp_path)
    assert publisher.status.dead == 1
    assert [int(message.value()) for message in read_topic(topic)] == list(range(5))
    (letter,) = read_topic(kafka.topics.deadletter)
    headers = dict(letter.headers())
    assert (headers["reason"], headers["uid"]) == (b"MSG_SIZE_TOO_LARGE", b"the-uid")
    assert headers["origin-topic"] == topic.encode()
    fits = length <= DEADLETTER_VALUE_BYTES
    assert letter.value() == (large.value if fits else b"")
    assert source.aside == ([] if fits else ["MSG_SIZE_TOO_LARGE"])
    admin.delete_topics([topic])[topic].result(SECONDS)


@pytest.mark.engines
def test_what_even_the_dead_letter_refuses_is_kept_on_disk(tmp_path: Path, kafka: Kafka) -> None:
    """With both topics too narrow the entry is set aside, and the queue goes on."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    names = [f"{kafka.topic_prefix}.narrow-{number}" for number in range(2)]
    TopicAdmin({"bootstrap.servers": kafka.bootstrap_servers}).create(
        *(TopicSpec(name, 1, NARROW) for name in names)
    )
    source = Entries([SpoolEntry(names[0], b"k", b"x" * 50_000), SpoolEntry(kafka.topics.raw, b"k", b"v")])
    publisher = Publisher(source, settings=producer_settings(kafka, base=tmp_path), deadletter=names[1])
    publisher.start()
    publisher.stop(timeout=SECONDS, empty=lambda: source.done)
    assert (source.done, source.aside) == (True, ["MSG_SIZE_TOO_LARGE"])
    for gone in admin.delete_topics(names).values():
        gone.result(SECONDS)


def test_without_a_broker_nothing_is_acknowledged_and_stopping_is_quick(tmp_path: Path) -> None:
    """A broker that is away costs the stop its bound and not more."""
    source = Entries([SpoolEntry("raw", b"k", b"v")])
    publisher = Publisher(
        source,
        settings=producer_settings(Kafka(bootstrap_servers="127.0.0.1:1"), base=tmp_path),
        deadletter="dead",
    )
    publisher.start()
    began = time.monotonic()
    publisher.stop(timeout=0.5, empty=lambda: source.done)
    assert time.monotonic() - began < 20
    assert (source.acknowledged, publisher.status.connected) == ([], False)


def test_a_dead_letter_says_what_and_why() -> None:
    """It carries the entry's own headers, the reason, and a digest that identifies the value."""
    letter = dead_letter(SpoolEntry("raw", b"k", b"v", (("uid", b"u"),)), topic="dead", reason="WHY")
    assert (letter.topic, letter.key, letter.value) == ("dead", b"k", b"v")
    assert dict(letter.headers) == {
        "uid": b"u",
        "reason": b"WHY",
        "stage": b"ingress",
        "origin-topic": b"raw",
        "value-bytes": b"1",
        "value-sha256": b"4c94485e0c21ae6c41ce1dfe7b6bfaceea5ab68e40a2476f50208e526f506080",
    }
