"""What the sink's tests share: messages, an index in memory, and a world of its own on the real engines."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.schemas.config import Configuration
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import CallRefused, ClusterError, Stopping, Unavailable
from tachograph.sinks.provision import provision
from tachograph.sinks.record import Message

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))  # its time-stamp authority

DAY = "2026.11.20"
LONGEST_WAIT = 120.0


def event(uid: str, **facts: object) -> bytes:
    """The least that looks like an event."""
    tacho = {"type": "request", **facts}
    return orjson.dumps({"metadata": {"uid": uid}, "time": 1_763_596_800_000, "unmapped": {"tacho": tacho}})


def message(value: bytes | None = None, *, uid: str | None = None, offset: int = 0, **other: Any) -> Message:
    """A message as Kafka would hand it over; headers `uid`, `type`, `day` unless told otherwise."""
    name = uid or str(uuid.uuid4())
    headers = other.pop("headers", None)
    if headers is None:
        headers = (("uid", name.encode()), ("type", b"request"), ("day", DAY.encode()))
    facts: dict[str, Any] = {
        "topic": "t.masked",
        "partition": 0,
        "timestamp_ms": 1_763_596_800_000,
        "key": None,
    }
    return Message(
        offset=offset, value=event(name) if value is None else value, headers=headers, **facts | other
    )


class MemoryIndex:
    """`create` and `mget` as OpenSearch does them; faults are queued and raised before anything happens."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], bytes] = {}
        self.faults: list[ClusterError] = []
        self.item_faults: list[tuple[int, str]] = []
        """(status, type) for the first items of the next call."""
        self.calls: list[bytes] = []

    def bulk(self, body: bytes) -> bytes:
        self.calls.append(body)
        if self.faults:
            raise self.faults.pop(0)
        lines = body.split(b"\n")
        assert lines.pop() == b""
        items = [self._create(orjson.loads(action)["create"], source) for action, source in _pairs(lines)]
        return orjson.dumps({"errors": True, "items": [{"create": item} for item in items]})

    def mget(self, body: bytes) -> bytes:
        if self.faults:
            raise self.faults.pop(0)
        found = [self._get(doc["_index"], doc["_id"]) for doc in orjson.loads(body)["docs"]]
        return b'{"docs":[' + b",".join(found) + b"]}"

    def _create(self, action: dict[str, str], source: bytes) -> dict[str, Any]:
        key = (action["_index"], action["_id"])
        status, kind = self._status(key, source)
        if status == 201:
            self.documents[key] = source
        return {"_id": action["_id"], "status": status} | ({"error": {"type": kind}} if kind else {})

    def _status(self, key: tuple[str, str], source: bytes) -> tuple[int, str]:
        if self.item_faults:
            return self.item_faults.pop(0)
        try:
            value = orjson.loads(source)
        except orjson.JSONDecodeError:
            return 400, "mapper_parsing_exception"
        if not isinstance(value.get("unmapped", {}), dict):
            return 400, "mapper_parsing_exception"
        return (409, "version_conflict_engine_exception") if key in self.documents else (201, "")

    def _get(self, index: str, uid: str) -> bytes:
        head = b'{"_index":"%b","_id":"%b",' % (index.encode(), uid.encode())
        source = self.documents.get((index, uid))
        if source is None:
            return head + b'"found":false}'
        return head + b'"_version":1,"_seq_no":0,"_primary_term":1,"found":true,"_source":' + source + b"}"


def _pairs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(lines[::2], lines[1::2], strict=True)


def eventually(holds: Callable[[], bool], what: str, seconds: float = LONGEST_WAIT) -> None:
    """Wait until it holds, at most so long. An index that is just being created answers 503: not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Unavailable):
            if holds():
                return
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s not: {what}")


@pytest.fixture(scope="session", name="event")
def event_maker() -> Callable[..., bytes]:
    """The function `event`."""
    return event


@pytest.fixture(scope="session", name="message")
def message_maker() -> Callable[..., Message]:
    """The function `message`."""
    return message


@pytest.fixture(scope="session", name="eventually")
def waiter() -> Callable[..., None]:
    """The function `eventually`."""
    return eventually


@pytest.fixture
def memory() -> MemoryIndex:
    """An empty index in memory."""
    return MemoryIndex()


# --- the real engines ----------------------------------------------------------------------------------

_PROGRAM = """
import sys
from pathlib import Path
import tachograph.sinks.client as client, tachograph.sinks.worker as worker
from tachograph.schemas.config import Configuration
from tachograph.sinks.errors import SinkError
worker.START_SECONDS, client.CALL_SECONDS = float(sys.argv[2]), float(sys.argv[3])
path = Path(sys.argv[1])
try:
    worker.run(Configuration.model_validate_json(path.read_text()), base=path.parent)
except SinkError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


class SinkProcess:
    """`worker.run` in a process of its own, which a test may kill."""

    def __init__(self, config: Path, *, start_seconds: float = 30, call_seconds: float = 30) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(config), str(start_seconds), str(call_seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ready(self) -> dict[str, Any]:
        """The line that says that it serves."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), self.log
        found: dict[str, Any] = json.loads(line.removeprefix("ready "))
        return found

    @property
    def log(self) -> str:
        return "".join(self._errors)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = LONGEST_WAIT) -> int:
        """Signal it and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)


@dataclass
class World:
    """Topics and indices of one test, on real engines."""

    config: Configuration
    folder: Path
    sinks: list[SinkProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = Cluster(self.config.opensearch, base=self.folder)
        self.kafka = {"bootstrap.servers": self.config.kafka.bootstrap_servers}
        self.admin = AdminClient(self.kafka)
        self.producer = Producer(self.kafka | {"linger.ms": 5})
        self.topics = self.config.kafka.topics
        self.prefix = self.config.opensearch.index_prefix
        self.index = f"{self.prefix}-events-{DAY}"
        self.ends = time.monotonic() + LONGEST_WAIT

    def put(self, messages: Sequence[Message]) -> None:
        """Produce to the masked topic, durably."""
        for one in messages:
            self.producer.produce(self.topics.masked, one.value, one.key, headers=list(one.headers))
            self.producer.poll(0)
        assert self.producer.flush(LONGEST_WAIT) == 0

    def sink(self, *, url: str | None = None, **bounds: float) -> SinkProcess:
        """Start a sink, perhaps on another way to OpenSearch."""
        search = self.config.opensearch.model_copy(update={"url": url or self.config.opensearch.url})
        path = self.folder / f"{uuid.uuid4().hex}.json"
        path.write_text(self.config.model_copy(update={"opensearch": search}).model_dump_json())
        self.sinks.append(SinkProcess(path, **bounds))
        return self.sinks[-1]

    def count(self, pattern: str = "events-*") -> int:
        """Documents, searchable or not yet."""
        self.ask("POST", f"/{self.prefix}-{pattern}/_refresh")
        return int(orjson.loads(self.ask("GET", f"/{self.prefix}-{pattern}/_count"))["count"])

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """An answer of the cluster, asked for again while an index is just being made."""
        end = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                return self.cluster.call(method, path, body)
            except Unavailable:
                if time.monotonic() >= end:
                    raise
            time.sleep(0.1)

    def wait(self, seconds: float) -> None:
        """Between two tries of a delivery; past the bound of a test there is no further one."""
        if time.monotonic() > self.ends:
            raise Stopping
        time.sleep(seconds)

    def versions(self) -> dict[str, tuple[int, int]]:
        """Every event's id with its sequence number and version: what a replay must not move."""
        body = orjson.dumps({"size": 10_000, "_source": False, "seq_no_primary_term": True, "version": True})
        self.ask("POST", f"/{self.prefix}-events-*/_refresh")
        hits = orjson.loads(self.ask("POST", f"/{self.prefix}-events-*/_search", body))["hits"]["hits"]
        return {hit["_id"]: (hit["_seq_no"], hit["_version"]) for hit in hits}

    def dead_letters(self) -> list[tuple[bytes, dict[str, str]]]:
        """Every entry of the dead letter: value and headers."""
        place = TopicPartition(self.topics.deadletter, 0, 0)
        consumer = Consumer(self.kafka | {"group.id": uuid.uuid4().hex, "enable.auto.commit": False})
        try:
            consumer.assign([place])
            _, end = consumer.get_watermark_offsets(place, timeout=LONGEST_WAIT)
            found = consumer.consume(end, timeout=LONGEST_WAIT) if end else []
        finally:
            consumer.close()
        return [
            (one.value() or b"", {name: value.decode() for name, value in one.headers() or ()})
            for one in found
        ]

    @property
    def group(self) -> str:
        return f"{self.config.kafka.topic_prefix}.sink.opensearch.{self.prefix}"

    def committed(self) -> int:
        """The sum of the group's committed offsets."""
        request = ConsumerGroupTopicPartitions(self.group)
        found = self.admin.list_consumer_group_offsets([request])[self.group].result(LONGEST_WAIT)
        return sum(max(part.offset, 0) for part in found.topic_partitions)

    def rewind(self) -> None:
        """Send the group back to the beginning."""
        parts = [TopicPartition(self.topics.masked, n, 0) for n in range(self.config.kafka.partitions)]
        request = ConsumerGroupTopicPartitions(self.group, parts)
        self.admin.alter_consumer_group_offsets([request])[self.group].result(LONGEST_WAIT)

    def close(self) -> None:
        for sink in self.sinks:
            if sink.process.poll() is None:
                sink.end(signal.SIGKILL)
        there = self.admin.list_topics(timeout=LONGEST_WAIT).topics
        names = [name for name in there if name.startswith(f"{self.topics.prefix}.")]
        for future in self.admin.delete_topics(names).values():
            future.result(LONGEST_WAIT)
        for place in ("", "/_index_template", "/_component_template"):  # what is composed before its parts
            self.gone(f"{place}/{self.prefix}-*")
        self.cluster.close()

    def made(self, family: str = "events") -> None:
        """Make today's index before anything is written: what follows meets none that is only being made."""
        name = f"/{self.prefix}-{family}-{DAY}"
        try:
            self.ask("PUT", name)
        except CallRefused as refusal:  # made by a call before, whose answer did not come
            if refusal.kind != "resource_already_exists_exception":
                raise
        self.ask("GET", f"/_cluster/health{name}?wait_for_status=yellow&timeout=25s")

    def gone(self, path: str) -> None:
        """Delete what is there."""
        try:
            self.ask("DELETE", path)
        except CallRefused as refusal:
            if refusal.status != 404:
                raise


@pytest.fixture
def configuration(stack: Any) -> Configuration:
    """A configuration with names of its own on the shared engines."""
    prefix = f"sink-{uuid.uuid4().hex[:8]}"
    return Configuration.model_validate(
        {
            "kafka": {"bootstrap_servers": stack.bootstrap_servers, "topic_prefix": prefix, "partitions": 2},
            "opensearch": {"url": stack.opensearch_url, "index_prefix": prefix},
        }
    )


@pytest.fixture
def world(configuration: Configuration, tmp_path: Path) -> Iterator[World]:
    """Provisioned topics and templates; everything is removed afterwards."""
    provision(configuration, base=tmp_path, progress=lambda _: None)
    made = World(configuration, tmp_path)
    try:
        yield made
    finally:
        made.close()
