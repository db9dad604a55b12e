"""The tail on the real topic: everything signed, in order, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tachograph.ingress.approval.pen import Pen
from tachograph.ingress.approval.tail import Entry, Tail
from tachograph.schemas.approval import ApprovalKey, Expired

pytestmark = pytest.mark.engines

KEY, FORGER = ApprovalKey(bytes(range(32))), ApprovalKey(bytes(32))
SECONDS = 15.0


class Heard:
    """A reader that keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.began = 0
        self.fresh_at = 0.0

    def begun(self) -> None:
        self.entries.clear()
        self.began += 1

    def read(self, entries: Any) -> None:
        self.entries += entries

    def fresh(self, asked: float) -> None:
        self.fresh_at = asked


def wait(ready: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def event(number: int) -> Expired:
    import uuid

    return Expired(approval=uuid.UUID(int=number), at=time.time_ns() // 1_000_000)


def settings(kafka: Any) -> dict[str, object]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


def test_what_is_signed_arrives_in_order_and_what_is_not_is_left_out(kafka: Any) -> None:
    """Forged, altered, empty and oversized messages are counted, and told to nobody."""
    topic, heard = kafka.topics.approvals, Heard()
    producer = Producer(settings(kafka))
    good = [event(number) for number in range(5)]
    for index, value in enumerate(good):
        producer.produce(topic, value=KEY.seal(value))
        bad = (FORGER.seal(value), KEY.seal(value)[:-1] + b"x", None, b"", b"{" * 200_000)
        producer.produce(topic, value=bad[index])
    assert producer.flush(SECONDS) == 0
    tail = Tail(heard, topic=topic, key=KEY, settings=settings(kafka))
    tail.start()
    try:
        wait(lambda: heard.fresh_at, "the end of the log")
        pen = Pen(topic=topic, key=KEY, settings=settings(kafka), give_up_seconds=SECONDS)
        began = time.monotonic()
        pen.write(last := event(9))
        wait(lambda: len(heard.entries) == 6, "one more event")
        assert time.monotonic() - began < 1.0, "anybody learns of it within a second"
        assert [entry.event for entry in heard.entries] == [*good, last]
        assert tail.ignored == 5
        assert tail.problem == ""
        assert all(abs(entry.log_ms - entry.event.at) < 60_000 for entry in heard.entries)
        pen.close()
    finally:
        tail.stop()


def test_a_clients_own_time_is_not_taken(kafka: Any, stack: Any) -> None:
    """On a topic that the broker does not stamp nothing is believed, and the log says what to do."""
    topic = f"{kafka.topics.approvals}.unstamped"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=SECONDS)
    heard = Heard()
    tail = Tail(heard, topic=topic, key=KEY, settings=settings(kafka))
    try:
        pen = Pen(topic=topic, key=KEY, settings=settings(kafka), give_up_seconds=SECONDS)
        pen.write(event(1))
        pen.close()
        tail.start()
        wait(lambda: tail.ignored, "the event to be ignored")
        assert not heard.entries
    finally:
        tail.stop()
        admin.delete_topics([topic])[topic].result(timeout=SECONDS)


def test_a_topic_that_is_made_anew_is_read_anew(kafka: Any, stack: Any) -> None:
    """Deleted and created: the reader is told to begin again, and hears only what is there now."""
    topic, heard = kafka.topics.approvals, Heard()
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    pen = Pen(topic=topic, key=KEY, settings=settings(kafka), give_up_seconds=SECONDS)
    tail = Tail(heard, topic=topic, key=KEY, settings=settings(kafka))
    tail.start()
    try:
        for number in range(3):
            pen.write(event(number))
        wait(lambda: len(heard.entries) == 3, "three events")
        admin.delete_topics([topic])[topic].result(timeout=SECONDS)
        wait(lambda: topic not in admin.list_topics(timeout=SECONDS).topics, "the topic to go")
        config = {"message.timestamp.type": "LogAppendTime"}
        made = admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic]
        made.result(timeout=SECONDS)
        wait(lambda: heard.began > 1, "a new beginning")
    finally:
        tail.stop()
        pen.close()


def test_kafka_away_is_a_problem_with_a_name() -> None:
    """Nothing listens: no freshness, a problem in words, and the thread still ends when told to."""
    heard = Heard()
    tail = Tail(heard, topic="t.approvals", key=KEY, settings={"bootstrap.servers": "127.0.0.1:9"})
    tail.start()
    wait(lambda: "Kafka answers" in tail.problem, "a problem")
    assert heard.fresh_at == 0.0
    tail.stop()
    assert not tail._thread.is_alive()
