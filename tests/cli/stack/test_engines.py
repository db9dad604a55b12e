"""engines.py: both engines up, down, and the truth about them in between; with the real ones."""

import os
import signal
import socket
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tachograph.cli.stack import engines, fetch, health, kafka, lock, places, processes, state
from tachograph.cli.stack.child import Command
from tachograph.cli.stack.engines import Endpoints, Stack, StackConfig
from tachograph.cli.stack.errors import (
    AlreadyRunning,
    EngineDied,
    EngineNotReady,
    FolderUnusable,
    PortInUse,
    TooLittleMemory,
)
from tachograph.cli.stack.progress import Silent

WAIT = 60.0


def config(home: Path, **changes: int) -> StackConfig:
    free = StackConfig(home=home, kafka_port=0, controller_port=0, opensearch_port=0, transport_port=0)
    return replace(free, **changes)  # type: ignore[arg-type]  # only numbers are changed here


def engine(monkeypatch: pytest.MonkeyPatch, home: Path, program: str) -> None:
    """Let a shell program stand where Kafka stands, and leave out what belongs to the real one."""
    logs = home / "logs"
    logs.mkdir()
    command = Command("kafka", ["/bin/sh", "-c", program], home, logs / "console.log", logs / "kafka.log")
    monkeypatch.setattr(kafka, "is_formatted", lambda _: True)
    monkeypatch.setattr(kafka, "run_command", lambda *_: command)
    monkeypatch.setattr(fetch, "ensure", lambda *_: None)
    monkeypatch.setattr(lock, "read", lambda: {"kafka/lib": ()})
    monkeypatch.setattr(places, "hand_out", lambda *_: None)


def first_record(servers: str, topic: str) -> bytes:
    """What the topic holds first; on the way to it the client may report what is not there yet."""
    settings = {"group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": servers, "log_level": 0, **settings})
    consumer.subscribe([topic])
    found: list[bytes] = []

    def came() -> bool:
        record = consumer.poll(1)
        if record is not None and record.error() is None:
            found.append(record.value() or b"")
        return bool(found)

    assert processes.wait_until(came, WAIT)
    consumer.close()
    return found[0]


def kafka_only(home: Path) -> Stack:
    return Stack(StackConfig(home=home, kafka_port=0, controller_port=0, with_opensearch=False))


def test_a_taken_port_stops_the_start(home: Path) -> None:
    """Before anything is downloaded or started; afterwards the home folder is free again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stack = Stack(config(home, kafka_port=server.getsockname()[1]))
        for _ in range(2):
            with pytest.raises(PortInUse, match="--kafka-port"):
                stack.start(Silent())


def test_one_home_holds_one_stack(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told who runs there; the first is not disturbed."""
    engine(monkeypatch, home, "sleep 60")
    monkeypatch.setattr(engines, "KafkaHealth", lambda _: lambda: True)
    with kafka_only(home) as first:
        first.start(Silent())
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
            kafka_only(home).start(Silent())
        assert first.poll() is None
    assert state.read(home) is None


def test_too_little_memory_stops_the_start(home: Path) -> None:
    """A heap that the machine does not have is refused, not tried."""
    with pytest.raises(TooLittleMemory, match="lower the heaps"):
        Stack(config(home, kafka_heap_mb=100_000_000)).start(Silent())


def test_a_home_below_a_file_is_unusable(tmp_path: Path) -> None:
    """The message names TACHO_HOME."""
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match="TACHO_HOME"):
        Stack(config(tmp_path / "file")).start(Silent())


def test_a_refused_hand_out_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that may not give files away, as in some containers, is told which folder it is about."""
    engine(monkeypatch, home, "sleep 60")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(places, "hand_out", refuse)
    with pytest.raises(FolderUnusable, match=r"Operation not permitted.*TACHO_HOME"):
        kafka_only(home).start(Silent())


def test_an_engine_that_dies_at_its_start_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit code and last words; nothing stays behind."""
    engine(monkeypatch, home, "echo no space left; exit 7")
    with pytest.raises(EngineDied, match=r"exit code 7(.|\n)*no space left"):
        kafka_only(home).start(Silent())
    assert state.read(home) is None


def test_an_engine_that_never_serves_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its bound it is stopped and told."""
    engine(monkeypatch, home, "echo still thinking; sleep 60")
    console = home / "logs" / "console.log"

    def thinks(_: int) -> Callable[[], bool]:
        return lambda: not processes.wait_until(lambda: "thinking" in console.read_text(), WAIT)

    monkeypatch.setattr(engines, "KafkaHealth", thinks)
    monkeypatch.setattr(engines, "KAFKA_READY_SECONDS", 0.0)
    with pytest.raises(EngineNotReady, match="still thinking"):
        kafka_only(home).start(Silent())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_engine_is_noticed(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """poll tells which one, and by what."""
    engine(monkeypatch, home, "exec sleep 60")
    monkeypatch.setattr(engines, "KafkaHealth", lambda _: lambda: True)
    with kafka_only(home) as stack:
        stack.start(Silent())
        assert stack.poll() is None
        recorded = state.read(home)
        assert recorded is not None
        os.kill(recorded.engines[0].process.pid, number)
        assert processes.wait_until(lambda: stack.poll() is not None, WAIT)
        death = stack.poll()
        assert death is not None
        assert (death.engine, death.ending) == ("kafka", f"by {number.name}")


@pytest.mark.engines
def test_kafka_keeps_what_it_acknowledged(stack: Endpoints) -> None:
    """A record of nearly 2 MiB, acknowledged by all, reads back byte for byte."""
    topic = f"test.stack.{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(WAIT)
    value = os.urandom(2 * 1024 * 1024 - 4096)
    producer = Producer(
        {"bootstrap.servers": stack.bootstrap_servers, "acks": "all", "message.max.bytes": 2 * 1024 * 1024}
    )
    producer.produce(topic, value)
    assert producer.flush(WAIT) == 0
    assert first_record(stack.bootstrap_servers, topic) == value
    admin.delete_topics([topic])[topic].result(WAIT)


@pytest.mark.engines
def test_kafka_creates_no_topic_by_itself(stack: Endpoints) -> None:
    """A record for an unknown topic is refused."""
    errors: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": stack.bootstrap_servers,
            "topic.metadata.propagation.max.ms": 100,
            "log_level": 0,
        }
    )
    producer.produce(
        f"test.unknown.{uuid.uuid4().hex}", b"x", on_delivery=lambda error, _: errors.append(error)
    )
    producer.flush(WAIT)
    assert "UNKNOWN_TOPIC" in str(errors[0])


@pytest.mark.engines
def test_opensearch_indexes_what_events_need(stack: Endpoints) -> None:
    """flat_object, wildcard and a lowercase normalizer work without analysis-common; documents are found."""
    index = f"{stack.opensearch_url}/test-stack-{uuid.uuid4().hex}"
    normalizer = {"normalizer": {"low": {"type": "custom", "filter": ["lowercase"]}}}
    fields = {
        "any": {"type": "flat_object"},
        "path": {"type": "wildcard"},
        "name": {"type": "keyword", "normalizer": "low"},
        "text": {"type": "text"},
    }
    body = {"settings": {"number_of_replicas": 0, "analysis": normalizer}, "mappings": {"properties": fields}}
    document = {"any": {"a": {"b": "c"}}, "path": "/v1/messages", "name": "READ", "text": "it found the file"}
    with httpx.Client(trust_env=False, timeout=WAIT) as client:
        assert client.put(index, json=body).status_code == 200
        assert client.put(f"{index}/_create/1?refresh=true", json=document).status_code == 201
        terms = [{"term": {"any.a.b": "c"}}, {"wildcard": {"path": "*messages"}}, {"term": {"name": "read"}}]
        query = {"query": {"bool": {"filter": terms, "must": {"match": {"text": "FILE"}}}}}
        hits = client.post(f"{index}/_search", json=query).json()["hits"]["hits"]
        client.delete(index)
    assert [hit["_source"] for hit in hits] == [document]


@pytest.mark.engines
def test_a_broker_comes_back_with_its_records(home: Path) -> None:
    """Killed and started again over the same folder, it still holds what it acknowledged."""
    with kafka_only(home) as stack:
        servers = stack.start(Silent()).bootstrap_servers
        admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(WAIT)
        producer = Producer({"bootstrap.servers": servers, "acks": "all", "log_level": 0})
        producer.produce("kept", b"still here")
        assert producer.flush(WAIT) == 0
        recorded = state.read(home)
        assert recorded is not None
        os.killpg(recorded.engines[0].process.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: stack.poll() is not None, WAIT)
    with kafka_only(home) as stack:
        servers = stack.start(Silent()).bootstrap_servers
        assert first_record(servers, "kept") == b"still here"


@pytest.mark.engines
def test_a_stopped_stack_leaves_no_process(home: Path) -> None:
    """After stop the recorded processes are gone, and the port no longer serves."""
    with kafka_only(home) as stack:
        endpoints = stack.start(Silent())
        recorded = state.read(home)
        assert recorded is not None
    port = int(endpoints.bootstrap_servers.rpartition(":")[2])
    assert not processes.alive(recorded.engines[0].process)
    assert not health.KafkaHealth(port)()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": endpoints.bootstrap_servers, "log_level": 0}).list_topics(
            timeout=0.5
        )
