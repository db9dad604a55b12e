"""A gateway of the real engine in a thread, raw sockets on both of its sides, and a recorder in memory.

A test is a conversation: what the agent sends, what the target sees, what it answers, what the agent sees.
Every wait is bounded by `SECONDS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from confluent_kafka import Consumer, Message, TopicPartition

from tachograph.ingress.admission import Holder, Judge, NoApprovals
from tachograph.ingress.concealment import BodyConcealment
from tachograph.ingress.credentials import NO_CREDENTIAL, Taken
from tachograph.ingress.errors import IngressError, RecorderFull, Unauthenticated
from tachograph.ingress.identity.authenticator import Authenticated
from tachograph.ingress.recording.recorder import RequestHead
from tachograph.ingress.worker import DataPlane, Services
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.payload import ExchangeError, HeaderField, PolicyDecision

SECONDS = 30.0
T = TypeVar("T")


class Peer:
    """One raw connection, read with a bound."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.pending = b""

    def send(self, text: str | bytes) -> None:
        self.sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def flood(self, head: str, *, mib: int) -> threading.Thread:
        """Send so many MiB after a head, from a thread of its own, until the connection ends or all is sent.

        Nobody need read them.
        """

        def work() -> None:
            with contextlib.suppress(OSError):
                self.send(head)
                for _ in range(mib):
                    self.send(b"x" * (1 << 20))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def read_until(self, end: bytes) -> bytes:
        while end not in self.pending:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError(f"closed after {self.pending!r}, expected {end!r}")
            self.pending += data
        head, _, self.pending = self.pending.partition(end)
        return head + end

    def read(self, count: int) -> bytes:
        while len(self.pending) < count:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError(f"closed after {len(self.pending)} of {count} bytes")
            self.pending += data
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def head(self) -> Head:
        return Head.parse(self.read_until(b"\r\n\r\n"))

    def response(self) -> tuple[Head, bytes]:
        """A response that Content-Length or chunks delimit."""
        head = self.head()
        if head.get("transfer-encoding") == "chunked":
            return head, self.chunked()
        return head, self.read(int(head.get("content-length") or 0))

    def chunked(self) -> bytes:
        body = b""
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            body += self.read(size) if size else b""
            if self.read_until(b"\r\n") == b"\r\n" and not size:
                return body

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        data, self.pending = self.pending, b""
        while more := self.sock.recv(1 << 16):
            data += more
        return data

    def ended(self) -> bool:
        """Whether the other side has closed or reset, and sent nothing before that."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True

    def close(self, *, reset: bool = False) -> None:
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass(frozen=True)
class Head:
    """A message's head as it was on the wire."""

    first: str
    fields: tuple[HeaderField, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        return cls(first, tuple((name, value) for name, _, value in (line.partition(": ") for line in lines)))

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]

    def get(self, name: str) -> str | None:
        return (self.all(name) or [None])[0]


class Upstream:
    """A listening socket; the test plays the target."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(SECONDS)
        self.port = self.sock.getsockname()[1]
        self.context = context
        self.peers: list[Peer] = []

    def accept(self) -> Peer:
        conn, _ = self.sock.accept()
        if self.context is not None:
            conn = self.context.wrap_socket(conn, server_side=True)
        peer = Peer(conn)
        self.peers.append(peer)
        return peer

    def untouched(self) -> bool:
        """Whether nobody has connected."""
        self.sock.setblocking(False)
        try:
            self.sock.accept()[0].close()
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(SECONDS)
        return False

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self.sock.close()


@dataclass
class FakeRecord:
    """What the engine told the recorder about one exchange, in order."""

    recorder: FakeRecorder
    connection: Connection | None
    principal: Principal
    head: RequestHead
    upstream: str
    exchange: uuid.UUID = field(default_factory=uuid.uuid4)
    session: uuid.UUID = field(default_factory=uuid.uuid4)
    pieces: list[bytes] = field(default_factory=list)
    request_end: bool | None = None
    """None: open; else whether it was complete."""
    status: int = 0
    origin: str = "none"
    headers: tuple[HeaderField, ...] = ()
    body: bytearray = field(default_factory=bytearray)
    body_len: int = 0
    trailers: tuple[HeaderField, ...] = ()
    error: ExchangeError | None = None
    complete: bool | None = None
    decision: PolicyDecision | None = None
    registry: str | None = None
    injected: tuple[str, ...] = ()
    tools: list[dict[str, Any]] = field(default_factory=list)
    """What was decided about tool calls in the answer."""

    async def decided_tool(self, decision: str, **told: Any) -> uuid.UUID:
        assert self.complete is None, "decided after the end"
        await self.recorder.durable()
        self.tools.append({"decision": decision, **told})
        return uuid.uuid4()

    def judged(self, decision: PolicyDecision) -> None:
        assert self.decision is None, "judged twice"
        assert self.request_end is None, "judged after it was recorded"
        self.decision = decision

    async def request(self, data: bytes, *, end: bool, complete: bool = True) -> None:
        assert self.request_end is None, "the request was closed twice"
        assert len(data) <= 256 * 1024
        if self.recorder.full:
            raise RecorderFull("the spool is full")
        await self.recorder.durable()
        self.pieces.append(data)
        if end:
            self.request_end = complete

    def response_head(
        self, *, status: int, reason: str, http_version: str, headers: Sequence[HeaderField], origin: str
    ) -> None:
        assert not self.status, "two response heads"
        self.status, self.headers, self.origin = status, tuple(headers), origin

    def response_data(self, data: bytes) -> None:
        assert self.complete is None
        self.body_len += len(data)
        if self.body_len < 1 << 20:
            self.body += data

    def response_trailers(self, trailers: Sequence[HeaderField]) -> None:
        self.trailers = tuple(trailers)

    async def ready(self) -> None:
        return None

    def end(self, *, error: ExchangeError | None = None, complete: bool = True) -> None:
        assert self.complete is None, "ended twice"
        assert self.request_end is not None or self.recorder.full, "ended before its request"
        self.error, self.complete = error, complete


class FakeRecorder:
    """Keeps every exchange in memory; `gate` holds durability back, `full` refuses."""

    def __init__(self) -> None:
        self.records: list[FakeRecord] = []
        self.full = False
        self.gate = threading.Event()
        self.gate.set()

    async def open(
        self,
        *,
        connection: Connection | None,
        principal: Principal,
        head: RequestHead,
        upstream: str,
        started_ns: int,
        registry: str | None = None,
        injected: tuple[str, ...] = (),
    ) -> FakeRecord:
        if self.full:
            raise RecorderFull("the spool is full")
        assert started_ns > 0
        record = FakeRecord(self, connection, principal, head, upstream, registry=registry)
        record.injected = injected
        self.records.append(record)
        return record

    async def durable(self) -> None:
        if not self.gate.is_set():
            await asyncio.to_thread(self.gate.wait, SECONDS)

    def ended(self, count: int = 1) -> list[FakeRecord]:
        """The records, once `count` of them have ended."""
        eventually(lambda: sum(record.complete is not None for record in self.records) >= count)
        return self.records


def _revoked() -> None:
    raise Unauthenticated("gateway key abcd2345 is revoked")


class FakeAuthenticator:
    """Knows one agent by one key, in one field."""

    async def authenticate(self, headers: Sequence[HeaderField], certificate: object = None) -> Authenticated:
        keys = [value for name, value in headers if name.lower() == "x-tacho-key"]
        if not keys:
            raise Unauthenticated("no gateway credential was sent")
        if keys[0] not in {"good", "other", "scoped", "fleeting"}:
            raise Unauthenticated("the gateway credential is not known")
        who = Principal(id="tester" if keys[0] == "good" else "other", kind=PrincipalKind.API_KEY)
        forward = tuple(item for item in headers if item[0].lower() != "x-tacho-key")
        scope = frozenset({"elsewhere"}) if keys[0] == "scoped" else None
        still = _revoked if keys[0] == "fleeting" else lambda: None
        recorded = self.redact(headers)
        return Authenticated(who, forward, recorded, connections=scope, still=still)

    def redact(self, headers: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
        return tuple(
            (name, "[gateway-credential]" if name.lower() == "x-tacho-key" else value)
            for name, value in headers
        )


class FakeCredentials:
    """The credential of every connection that has one is `real`."""

    defect = False
    pem = ""

    def take(self, connection: Connection) -> Taken:
        return Taken("real", spelled=("real",)) if connection.credential else NO_CREDENTIAL

    def inject(
        self, connection: Connection, target: str, headers: tuple[HeaderField, ...], taken: Taken
    ) -> tuple[str, tuple[HeaderField, ...]]:
        if self.defect:
            raise RuntimeError("unforeseen")
        if connection.credential is None:
            return target, headers
        kept = tuple(item for item in headers if item[0].lower() not in {"authorization", "x-api-key"})
        return target, (*kept, ("Authorization", f"Bearer {taken.secret}"))

    def conceal(self, connection: Connection, headers: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
        if connection.credential is None:
            return headers
        return tuple((name, value.replace("real", "[target-credential]")) for name, value in headers)

    def identity(self, connection: Connection) -> Callable[[], str] | None:
        return (lambda: self.pem) if connection.tls.client_identity is not None else None

    def conceal_body(
        self, connection: Connection, headers: tuple[HeaderField, ...]
    ) -> BodyConcealment | None:
        return BodyConcealment((b"real-credential",)) if connection.conceal_body else None


class Gateway:
    """The engine on uvloop in its own thread."""

    def __init__(
        self, config: Configuration, base: Path, *, judge: Judge | None = None, holder: Holder | None = None
    ) -> None:
        self._judges = {"judge": judge, "holder": holder or NoApprovals()}
        self.recorder = FakeRecorder()
        self.credentials = FakeCredentials()
        self.refused: list[IngressError] = []
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.plane: DataPlane = self.run(self._start(config, base))
        self.peers: list[Peer] = []

    async def _start(self, config: Configuration, base: Path) -> DataPlane:
        recorder: Any = self.recorder
        authenticator: Any = FakeAuthenticator()
        credentials: Any = self.credentials
        services = Services(
            recorder, authenticator, credentials, on_refused=self.refused.append, **self._judges
        )
        plane = DataPlane(config, services, base=base)
        await plane.start(self.sock)
        return plane

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.begin(work).result(SECONDS)

    def call(self, function: Callable[[], T]) -> T:
        async def inside() -> T:
            return function()

        return self.run(inside())

    def connect(self) -> Peer:
        peer = Peer(socket.create_connection(("127.0.0.1", self.port)))
        self.peers.append(peer)
        return peer

    def ask(self, text: str | bytes) -> Peer:
        peer = self.connect()
        peer.send(text)
        return peer

    def stop(self, seconds: float = 1.0) -> None:
        if self.loop.is_closed():
            return
        for peer in self.peers:
            peer.close()
        self.run(self.plane.stop(seconds))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        self.loop.close()


def eventually(holds: Callable[[], object]) -> None:
    """Wait, with a bound, until the other thread has come so far."""
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.002)


@dataclass
class World:
    """One target named `up` (HTTP), `llm` and `mcp` behind one gateway."""

    gateway: Gateway
    upstream: Upstream

    @property
    def recorder(self) -> FakeRecorder:
        return self.gateway.recorder

    def ask(self, text: str | bytes) -> Peer:
        return self.gateway.ask(text)

    def get(self, path: str = "/c/up/", *fields: str) -> Peer:
        lines = (f"GET {path} HTTP/1.1", "Host: gateway", "X-Tacho-Key: good", *fields, "", "")
        return self.gateway.ask("\r\n".join(lines))

    def idle_connection(self) -> Peer:
        """The target's end of one that has served an exchange and is kept."""
        agent, target = self.get(), self.upstream.accept()
        target.head()
        target.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 0\r\n\r\n")
        agent.response()
        return target

    def exchange(self, request: str | bytes, answer: str | bytes) -> tuple[bytes, Head, bytes]:
        """One whole exchange: what the target saw as head, what the agent got."""
        agent = self.ask(request)
        target = self.upstream.accept()
        seen = target.read_until(b"\r\n\r\n")
        target.send(answer)
        head, body = agent.response()
        return seen, head, body

    eventually = staticmethod(eventually)


WorldMaker = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[WorldMaker]:
    """A gateway in front of one target; keyword arguments change the ingress and the connections."""
    with contextlib.ExitStack() as stack:

        def make(
            *,
            ingress: dict[str, Any] | None = None,
            scheme: str = "http",
            port: int | None = None,
            **extra: Any,
        ) -> World:
            context, judge, holder = (extra.pop(name, None) for name in ("context", "judge", "holder"))
            upstream = Upstream(context)
            stack.callback(upstream.close)
            base = f"{scheme}://127.0.0.1:{port or upstream.port}"
            connections = [
                {"name": "up", "protocol": "http", "upstream": base} | extra,
                {"name": "llm", "protocol": "llm", "upstream": base} | extra | {"hosts": ()},
                {"name": "mcp", "protocol": "mcp", "upstream": f"{base}/base"} | extra | {"hosts": ()},
            ]
            config = Configuration.model_validate({"ingress": ingress or {}, "connections": connections})
            gateway = Gateway(config, tmp_path, judge=judge and judge(base), holder=holder)
            stack.callback(gateway.stop)
            return World(gateway, upstream)

        yield make


@pytest.fixture
def world(make_world: WorldMaker) -> World:
    """A gateway with default settings."""
    return make_world()


# -- real Kafka, for the recording side -----------------------------------------------------------


@pytest.fixture
def read_topic(stack: Any) -> Iterator[Callable[[str], list[Message]]]:
    """Everything that lies in a topic now, in the order of each partition."""
    settings = {
        "bootstrap.servers": stack.bootstrap_servers,
        "group.id": "unused",
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)

    def read(topic: str) -> list[Message]:
        parts = consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
        ends = {part: consumer.get_watermark_offsets(TopicPartition(topic, part))[1] for part in parts}
        left = {part for part, end in ends.items() if end > 0}
        consumer.assign([TopicPartition(topic, part, 0) for part in left])
        found: list[Message] = []
        deadline = time.monotonic() + SECONDS
        while left and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            found.append(message)
            if message.offset() + 1 >= ends[message.partition()]:
                left.discard(message.partition())
        assert not left, f"{topic}: partitions {left} were not read to their end"
        return found

    yield read
    consumer.close()
