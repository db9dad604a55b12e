"""What the processor's tests share: a gateway's records made by hand, topics of one's own."""

import base64
import os
import random
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.envelope import seal
from tachograph.schemas.event import (
    GENESIS,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
    header_hash,
    rfc3339_ns,
)
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey, strand_name
from tachograph.schemas.payload import (
    BodyTotals,
    ChunkMeta,
    Meta,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    SessionOpenMeta,
    Timing,
    encode_payload,
    raw_commit,
)
from tachograph.schemas.topics import Topics, topic_specs
from tachograph.sinks.topic_admin import TopicAdmin

START_NS = 1_795_000_000_000_000_000
BOUND_S = 180.0
"""The longest wait for what a worker does. On a busy machine its start alone takes 20 s."""
_RUN = """
import sys
from pathlib import Path
from tachograph.processors import worker
from tachograph.schemas.document import load_configuration
worker.START_S = float(sys.argv[3])
worker.SESSION_TIMEOUT_S = 6.0  # the broker's least: so long a group waits for one that was killed
path = Path(sys.argv[1])
config = load_configuration(path.read_text(), file=str(path))
worker.run(config, base=path.parent, group=sys.argv[2])
"""


@dataclass(frozen=True)
class Sealed:
    """One raw record as the gateway produces it."""

    header: Header
    value: bytes

    @property
    def key(self) -> bytes:
        return str(self.header.session).encode()


@dataclass
class Strand:
    """One (session, epoch) of a gateway: seals records in order under its own key."""

    kek: KeyEncryptionKey
    rng: random.Random
    connection: str | None = "api"
    protocol: Protocol | None = Protocol.HTTP
    clock_ns: int = START_NS
    seq: int = 0
    prev: str = GENESIS
    registry: str | None = None
    """What each record from now on was decided by."""

    def __post_init__(self) -> None:
        self.session = uuid.UUID(bytes=self.rng.randbytes(16), version=4)
        self.epoch = uuid.UUID(bytes=self.rng.randbytes(16), version=4)
        data_key = self.rng.randbytes(32)
        self.cipher = AESGCM(data_key)
        self.wrapped: WrappedKey = self.kek.wrap(strand_name(self.session, self.epoch), data_key)

    def record(
        self,
        meta: Meta,
        body: bytes = b"",
        *,
        exchange: uuid.UUID | None = None,
        direction: Direction = Direction.NONE,
    ) -> Sealed:
        """Seal the next record of this strand; its clock moves one millisecond."""
        payload = encode_payload(meta, body, salt=self.rng.randbytes(16))
        self.clock_ns += 1_000_000
        header = Header(
            uid=event_uid(self.session, self.epoch, self.seq),
            type=EventType(meta.kind),
            ts=rfc3339_ns(self.clock_ns),
            session=self.session,
            epoch=self.epoch,
            seq=self.seq,
            prev=self.prev,
            exchange=exchange,
            connection=self.connection,
            protocol=self.protocol,
            direction=direction,
            principal=Principal(id="tester", kind=PrincipalKind.API_KEY),
            registry=self.registry,
            raw_commit=raw_commit(payload),
            raw_len=len(body),
        )
        canonical = header.canonical()
        self.prev = header_hash(canonical)
        self.seq += 1
        return Sealed(header, seal(canonical, header.seq, payload, cipher=self.cipher))

    def open(self) -> Sealed:
        return self.record(SessionOpenMeta(version="0", config_digest="0" * 64, basis="principal"))

    def new_exchange(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.rng.randbytes(16), version=4)

    def request(self, body: bytes = b"", *, exchange: uuid.UUID, chunks: int = 0, **facts: Any) -> Sealed:
        return self.record(
            request_meta(body, chunks=chunks, **facts),
            b"" if chunks else body,
            exchange=exchange,
            direction=Direction.REQUEST,
        )

    def response(self, body: bytes = b"", *, exchange: uuid.UUID, chunks: int = 0, **facts: Any) -> Sealed:
        return self.record(
            response_meta(body, chunks=chunks, **facts),
            b"" if chunks else body,
            exchange=exchange,
            direction=Direction.RESPONSE,
        )

    def chunked(
        self,
        pieces: Sequence[bytes],
        *,
        exchange: uuid.UUID,
        direction: Direction = Direction.RESPONSE,
        **facts: Any,
    ) -> list[Sealed]:
        """The chunk records of a body, then the record that closes it."""
        records, offset = [], 0
        for index, piece in enumerate(pieces):
            meta = ChunkMeta(index=index, offset=offset, sha256="0" * 64, content_type="text/event-stream")
            records.append(self.record(meta, piece, exchange=exchange, direction=direction))
            offset += len(piece)
        close = self.response if direction is Direction.RESPONSE else self.request
        return [*records, close(b"".join(pieces), exchange=exchange, chunks=len(pieces), **facts)]

    def exchange(self, request: bytes, response: bytes) -> list[Sealed]:
        exchange = self.new_exchange()
        return [self.request(request, exchange=exchange), self.response(response, exchange=exchange)]


def request_meta(
    body: bytes = b"",
    *,
    chunks: int = 0,
    target: str = "/v1/items?page=2",
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),),
    **more: Any,
) -> RequestMeta:
    return RequestMeta(
        line=RequestLine(
            method=more.pop("method", "POST"), target=target, upstream="https://api.example.com"
        ),
        http_version="1.1",
        headers=tuple(headers),
        client="127.0.0.1:40000",
        body=BodyTotals(length=len(body), sha256=sha256_hex(body), chunks=chunks),
        **more,
    )


def response_meta(
    body: bytes = b"",
    *,
    chunks: int = 0,
    target: str = "/v1/items?page=2",
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),),
    **more: Any,
) -> ResponseMeta:
    return ResponseMeta(
        status=more.pop("status", 200),
        reason=more.pop("reason", "OK"),
        http_version="1.1",
        headers=tuple(headers),
        origin="upstream",
        request=RequestLine(method="POST", target=target, upstream="https://api.example.com"),
        body=BodyTotals(length=len(body), sha256=sha256_hex(body), chunks=chunks),
        timing=Timing(start=START_NS, end=1500),
        **more,
    )


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


@pytest.fixture
def kek() -> KeyEncryptionKey:
    return KeyEncryptionKey(bytes(range(32)))


@pytest.fixture
def new_strand(kek: KeyEncryptionKey, rng: random.Random) -> Callable[..., Strand]:
    return lambda **facts: Strand(kek, rng, **facts)


@dataclass
class Site:
    """Topics of one test on the real broker, a configuration for them, and the worker processes on it."""

    bootstrap: str
    home: Path
    kek: KeyEncryptionKey
    partitions: int = 2
    topics: Topics = field(default_factory=lambda: Topics(f"e1-{secrets.token_hex(6)}"))
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.specs = topic_specs(
            self.topics, partitions=self.partitions, raw_retention_hours=24, masked_retention_hours=24
        )
        TopicAdmin({"bootstrap.servers": self.bootstrap}).create(*self.specs)
        self.producer = Producer(
            {"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 2}
        )
        self.write_keys(bytes(range(32)))
        self.processes: list[subprocess.Popen[str]] = []

    def write_keys(self, kek: bytes) -> None:
        (self.home / "keys").mkdir(exist_ok=True)
        for name, key in (("kek", kek), ("pseudonym", bytes(reversed(range(32))))):
            path = self.home / "keys" / name
            path.touch(0o600)
            path.write_text(base64.b64encode(key).decode())

    def config(self) -> Path:
        host, port = self.bootstrap.rsplit(":", 1)
        path = self.home / "tacho.yaml"
        processor = "".join(f"  {key}: {value}\n" for key, value in self.settings.items())
        text = (
            f"kafka:\n  bootstrap_servers: {host}:{port}\n  topic_prefix: {self.topics.prefix}\n"
            f"processor:\n  data_dir: data\n{processor}"
            "connections:\n  - {name: api, protocol: http, upstream: 'https://api.example.com'}\n"
            "  - {name: llm, protocol: llm, upstream: 'https://llm.example.com'}\n"
        )
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)  # whole at every moment: a worker that was just started may be reading it
        return path

    def strand(self, **facts: Any) -> Strand:
        return Strand(self.kek, random.SystemRandom(), **facts)

    def publish_key(self, strand: Strand) -> None:
        self.producer.produce(self.topics.keys, strand.wrapped.encode(), strand.wrapped.strand)
        self.producer.flush(BOUND_S)

    def publish(self, records: Sequence[Sealed]) -> None:
        for record in records:
            self.producer.produce(self.topics.raw, record.value, record.key)
            self.producer.poll(0)
        assert self.producer.flush(BOUND_S) == 0

    def produce(self, value: bytes | None, *, key: bytes) -> None:
        """One record on the raw topic as it is."""
        self.producer.produce(self.topics.raw, value, key)
        assert self.producer.flush(BOUND_S) == 0

    def shred(self, strand: Strand) -> None:
        """A tombstone on the keys topic."""
        self.producer.produce(self.topics.keys, None, strand.wrapped.strand)
        assert self.producer.flush(BOUND_S) == 0

    def wait_for_commit(self, group: str, *, least: int = 0) -> int:
        """The lowest committed offset, as soon as there is one with a mark that something is done."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"{self.topics.prefix}.{group}"}
        )
        places = [TopicPartition(self.topics.raw, number) for number in range(self.partitions)]
        deadline = time.monotonic() + BOUND_S
        try:
            while time.monotonic() < deadline:
                marked = [place for place in consumer.committed(places, BOUND_S) if place.metadata]
                if marked and min(place.offset for place in marked) >= least:
                    return int(min(place.offset for place in marked))
                time.sleep(0.1)
        finally:
            consumer.close()
        raise AssertionError("nothing was committed")

    def start(
        self, *, group: str = "first", fault: str | None = None, start_s: float = BOUND_S, patch: str = ""
    ) -> subprocess.Popen[str]:
        """A worker; `patch` is code that runs in it first."""
        environment = {**os.environ, **({"TACHO_FAULT": fault} if fault else {})}
        log = (self.home / f"worker-{len(self.processes)}.log").open("w")
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                patch + _RUN,
                str(self.config()),
                f"{self.topics.prefix}.{group}",
                str(start_s),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
        log.close()
        self.processes.append(process)
        return process

    def log(self, process: subprocess.Popen[str]) -> str:
        return (self.home / f"worker-{self.processes.index(process)}.log").read_text()

    def kill(self, process: subprocess.Popen[str], how: int = signal.SIGKILL) -> int:
        process.send_signal(how)
        return process.wait(BOUND_S)

    def read(
        self, topic: str, until: Callable[[list[Message]], bool], *, bound_s: float = BOUND_S
    ) -> list[Message]:
        """Everything on the topic from the beginning, as soon as `until` holds of it."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": secrets.token_hex(4),
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        partitions = consumer.list_topics(topic, timeout=BOUND_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        messages: list[Message] = []
        deadline = time.monotonic() + bound_s
        try:
            while not until(messages) and time.monotonic() < deadline:
                messages += [m for m in consumer.consume(500, 0.1) if m.error() is None]
        finally:
            consumer.close()
        assert until(messages), f"{topic}: {len(messages)} messages after {bound_s} s"
        return messages

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(BOUND_S)
            if process.stdout:
                process.stdout.close()
        admin = AdminClient({"bootstrap.servers": self.bootstrap})  # one that is dropped asks for nothing
        for gone in admin.delete_topics([spec.name for spec in self.specs]).values():
            gone.exception(BOUND_S)


@pytest.fixture
def site(stack: Any, tmp_path: Path, kek: KeyEncryptionKey) -> Iterator[Site]:
    made = Site(stack.bootstrap_servers, tmp_path, kek)
    try:
        yield made
    finally:
        made.close()
