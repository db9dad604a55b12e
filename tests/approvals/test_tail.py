"""The tail on the real topic: everything signed, in order, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest
import structlog
from confluent_kafka import (
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from tachograph.approvals.pen import Pen
from tachograph.approvals.tail import Entry, Tail
from tachograph.schemas.approval import ApprovalKey, Expired
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

KEY, FORGER = ApprovalKey(bytes(range(32))), ApprovalKey(bytes(32))
SECONDS = 30.0


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


@pytest.mark.engines
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
        pen.write(last := event(9))
        wait(lambda: len(heard.entries) == 6, "one more event")
        assert [entry.event for entry in heard.entries] == [*good, last]
        assert tail.ignored == 5
        wait(lambda: not tail.problem, "a broker that answers in time")
        assert all(abs(entry.log_ms - entry.event.at) < 60_000 for entry in heard.entries)
        pen.close()
    finally:
        tail.stop()


@pytest.mark.engines
def test_a_clients_own_time_is_not_taken(kafka: Any, stack: Any) -> None:
    """On a topic that the broker does not stamp nothing is believed, and the log says what to do."""
    topic = f"{kafka.topics.approvals}.unstamped"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(TopicSpec(topic, 1))
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


@pytest.mark.engines
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


class _Message:
    """What the Kafka client would hand over, without a broker."""

    def __init__(self, value: bytes, kind: int = TIMESTAMP_LOG_APPEND_TIME) -> None:
        self._value, self._kind = value, kind

    def error(self) -> None:
        return None

    def offset(self) -> int:
        return 6

    def timestamp(self) -> tuple[int, int]:
        return self._kind, 42

    def value(self) -> bytes:
        return self._value


def test_only_signed_and_stamped_events_are_handed_on() -> None:
    """Another key's, garbage, one whose time its writer chose: ignored, counted, and the place is kept."""
    heard, said = Heard(), event(1)
    tail = Tail(heard, topic="t", key=KEY, settings={})
    messages: list[Any] = [
        _Message(KEY.seal(said)),
        _Message(FORGER.seal(said)),
        _Message(b"{"),
        _Message(KEY.seal(said), TIMESTAMP_CREATE_TIME),
    ]
    tail._hand_on(messages)
    assert heard.entries == [Entry(said, 42)]
    assert (tail.ignored, tail._next) == (3, 7)


class _Growing:
    """A log in which nothing is recent, and to which an event is added behind every answer."""

    def __init__(self) -> None:
        self.end = 7

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        del timeout
        self.end += 1
        return 0, self.end - 1

    def offsets_for_times(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        self.end += 1
        return [TopicPartition(each.topic, each.partition, OFFSET_END) for each in places]


def test_an_event_that_comes_while_the_start_is_looked_for_is_read() -> None:
    """On a log that is empty, or has nothing recent, reading begins where the log ended when first asked."""
    tail = Tail(Heard(), topic="t", key=KEY, settings={})
    log: Any = _Growing()
    assert tail._first_offset(log) == 7


def test_a_defect_in_a_reader_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The log names kind and place; whoever asks hears that there is a problem; the thread goes on."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    tail = Tail(Heard(), topic="t", key=KEY, settings={})
    with pytest.raises(ZeroDivisionError) as failed:
        _ = 1 / len("a word of an event"[:0])
    tail._failed(failed.value)
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said
    assert "test_tail.py" in said
    assert "division by zero" not in said
    assert "could not be read" in tail.problem


def test_kafka_away_is_a_problem_with_a_name() -> None:
    """Nothing listens: no freshness, a problem in words, and the thread still ends when told to."""
    heard = Heard()
    tail = Tail(heard, topic="t.approvals", key=KEY, settings={"bootstrap.servers": "127.0.0.1:9"})
    tail.start()
    wait(lambda: "Kafka answers" in tail.problem, "a problem")
    assert heard.fresh_at == 0.0
    tail.stop()
    assert not tail._thread.is_alive()
