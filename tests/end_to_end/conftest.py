"""A site of one's own on the real engines: our three parts as processes, and a target that the test plays."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.cli.api_keys import ApiKeys
from tachograph.cli.assembly import PARTS, part
from tachograph.cli.home import make_key_files
from tachograph.cli.supervisor import Supervisor
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import load_configuration
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import Unavailable
from tachograph.sinks.provision import provision

SECONDS = 120.0
"""The bound of every wait. Each ends with what is waited for, so that it is long costs nothing."""


class Engines(Protocol):
    """Where Kafka and OpenSearch are."""

    @property
    def bootstrap_servers(self) -> str: ...
    @property
    def opensearch_url(self) -> str: ...


def eventually(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait until it holds, within a bound."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


Play = Callable[[socket.socket, bytes], None]
"""What the target does with one connection, given the head that it has read."""


class Target:
    """A listening socket; `play` is what it does with each connection until the test says otherwise."""

    def __init__(self) -> None:
        self.play: Play = answer(b"{}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._refusing = socket.socket()
        self._refusing.bind(("127.0.0.1", 0))  # and never listens, so nobody else can
        self.closed_port: int = self._refusing.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._refusing.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        peer.settimeout(SECONDS)
        with peer, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = peer.recv(1 << 16)
                if not data:
                    return
                head += data
            self.play(peer, head)


def answer(body: bytes, *, kind: str = "application/json", status: str = "200 OK", more: str = "") -> Play:
    """Take the whole request, then answer so."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
        "Connection: close\r\n\r\n"
    )

    def play(peer: socket.socket, request: bytes) -> None:
        first, _, rest = request.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in first.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", b"0")) - len(rest)
        while left > 0 and (data := peer.recv(min(left, 1 << 16))):
            left -= len(data)
        peer.sendall(head.encode() + body)

    return play


@dataclass
class Site:
    """One configuration, its keys, its parts."""

    folder: Path
    config: Configuration
    key: str
    target: Target
    supervisor: Supervisor
    url: str = ""
    _cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.config.opensearch, base=self.folder)
        self.prefix = self.config.opensearch.index_prefix

    def start(self) -> None:
        """Every part, until it serves."""
        self.supervisor.start(now=time.monotonic())
        eventually(self.supervisor.ready)
        self.url = str((self.supervisor.parts["ingress"].ready() or {})["ingress"])

    def crash(self, name: str) -> None:
        """SIGKILL one part with all its processes, and start it again as it was, until everything serves."""
        running = self.supervisor.parts[name]
        before = running.restarts
        assert running.process is not None
        self.supervisor.kill(name)
        running.process.wait(SECONDS)

        def again() -> bool:
            self.supervisor.tick(now=time.monotonic())
            return running.restarts > before

        eventually(again)
        self.start()

    def agent(self) -> socket.socket:
        """A connection to the gateway."""
        host, _, port = self.url.removeprefix("http://").rstrip("/").partition(":")
        return socket.create_connection((host, int(port)), timeout=SECONDS)

    def ask(
        self, path: str, *, body: bytes = b"", head: str = "", method: str = "POST", key: str | None = None
    ) -> bytes:
        """One request on a connection of its own; everything that comes back."""
        with self.agent() as sock, suppress(ConnectionResetError):
            sock.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: {key or self.key}\r\n{head}"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            found = bytearray()
            while data := sock.recv(1 << 16):
                found += data
        return bytes(found)

    def documents(self) -> list[dict[str, Any]]:
        """`_source` of every event document (at most 10,000), in no order."""
        body = orjson.dumps({"size": 10_000, "query": {"match_all": {}}})
        try:
            self._cluster.call("POST", f"/{self.prefix}-events-*/_refresh?allow_no_indices=true")
            answer = self._cluster.call("POST", f"/{self.prefix}-events-*/_search", body)
        except Unavailable:  # the index of the day is there, its first shard is not yet
            return []
        return [hit["_source"] for hit in orjson.loads(answer)["hits"]["hits"]]

    def exchanges(self) -> dict[str, list[dict[str, Any]]]:
        """Request and response documents by exchange."""
        found: dict[str, list[dict[str, Any]]] = {}
        for document in self.documents():
            tacho = document["unmapped"]["tacho"]
            if tacho["type"] in ("request", "response"):
                found.setdefault(tacho["exchange"], []).append(document)
        return found

    def told(self, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Request and response document of the one exchange on this path, once both are there."""
        pair: list[dict[str, Any]] = []

        def complete() -> bool:
            pair[:] = [
                one
                for one in self.documents()
                if path in one["message"] and _type(one) in ("request", "response")
            ]
            return len(pair) >= 2

        eventually(complete)
        assert sorted(_type(one) for one in pair) == ["request", "response"]
        request, response = sorted(pair, key=_type)
        return request, response

    def pieces(self, exchange: str, direction: str) -> list[int]:
        """Indices of the chunk documents of one body, in order."""
        return sorted(
            document["unmapped"]["tacho"]["chunk"]["index"]
            for document in self.documents()
            if _type(document) == "chunk"
            and document["unmapped"]["tacho"]["exchange"] == exchange
            and document["unmapped"]["tacho"]["direction"] == direction
        )

    @staticmethod
    def eventually(holds: Callable[[], bool]) -> None:
        """Wait until it holds, within a bound."""
        eventually(holds)

    def files(self) -> Iterator[tuple[Path, bytes]]:
        """Every file of the site but its keys, with its content; one that goes meanwhile holds nothing."""
        for folder, _, names in os.walk(self.folder):
            for path in (Path(folder, name) for name in names if Path(folder).name != "keys"):
                with suppress(FileNotFoundError):  # a segment of the spool that Kafka has taken
                    yield path, path.read_bytes()

    def topic(self, name: str) -> list[bytes]:
        """Every value of one topic."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.config.kafka.bootstrap_servers,
                "group.id": secrets.token_hex(8),
                "enable.auto.commit": False,
            }
        )
        values: list[bytes] = []
        try:
            for number in consumer.list_topics(name, timeout=SECONDS).topics[name].partitions:
                place = TopicPartition(name, number, 0)
                consumer.assign([place])
                _, end = consumer.get_watermark_offsets(place, timeout=SECONDS)
                at = 0
                while at < end:
                    message = consumer.poll(SECONDS)
                    assert message is not None, f"{name}/{number}: nothing came after {at} of {end}"
                    assert message.error() is None, message.error()
                    values.append(message.value() or b"")
                    at = (message.offset() or 0) + 1
        finally:
            consumer.close()
        return values

    def peak_mb(self, name: str) -> int:
        """The most memory that one part has held so far (VmHWM, proc(5))."""
        process = self.supervisor.parts[name].process
        assert process is not None
        text = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024

    def close(self) -> None:
        self.supervisor.stop()
        admin = AdminClient({"bootstrap.servers": self.config.kafka.bootstrap_servers})
        mine = f"{self.config.kafka.topic_prefix}."
        ours = [name for name in admin.list_topics(timeout=SECONDS).topics if name.startswith(mine)]
        for future in admin.delete_topics(ours, request_timeout=SECONDS).values():
            future.result(SECONDS)
        for place in ("", "/_index_template", "/_component_template"):  # what is composed before its parts
            self._cluster.call("DELETE", f"{place}/{self.prefix}-*")
        self._cluster.close()
        self.target.close()


def _type(document: dict[str, Any]) -> str:
    return str(document["unmapped"]["tacho"]["type"])


@contextmanager
def opened(
    folder: Path,
    engines: Engines,
    more: Mapping[str, Any] | Callable[[int], Mapping[str, Any]] | None = None,
    *,
    allow: Sequence[str] = ("*",),
) -> Iterator[Site]:
    """A site that is provisioned and serves; `more` are settings beside, or instead of, the usual ones.

    Settings that name the target are made of its port.

    `allow` says who may use the connection `api`.
    """
    target = Target()
    keys = folder / "keys"
    make_key_files(keys, randomness=os.urandom)
    file = folder / "tacho.yaml"
    settings = more(target.port) if callable(more) else more
    file.write_text(yaml.safe_dump(_settings(engines, target, allow) | dict(settings or {})))
    config = load_configuration(file.read_text(), file=str(file))
    key = ApiKeys(keys / "api-keys.yaml").create("agent", randomness=os.urandom, now="2026-01-01T00:00:00Z")
    parts = Supervisor([part(name, file) for name in PARTS], logs=folder / "logs", run=folder / "run")
    provision(config, base=folder, progress=lambda _: None)
    site = Site(folder, config, key.text, target, parts)
    try:
        site.start()
        yield site
    finally:
        site.close()


def _settings(engines: Engines, target: Target, allow: Sequence[str]) -> dict[str, Any]:
    prefix = f"e2e-{secrets.token_hex(4)}"
    upstream = f"http://127.0.0.1:{target.port}"
    return {
        "ingress": {"listen": {"port": 0}},
        "kafka": {"bootstrap_servers": engines.bootstrap_servers, "topic_prefix": prefix, "partitions": 2},
        "opensearch": {"url": engines.opensearch_url, "index_prefix": prefix},
        "connections": [
            {"name": "api", "protocol": "http", "upstream": upstream, "allow": list(allow)},
            {"name": "model", "protocol": "llm", "upstream": upstream},
            {"name": "tools", "protocol": "mcp", "upstream": upstream},
            {"name": "slow", "protocol": "http", "upstream": upstream, "timeouts": {"response": 0.5}},
            {"name": "closed", "protocol": "http", "upstream": f"http://127.0.0.1:{target.closed_port}"},
        ],
    }


@pytest.fixture(scope="module")
def site(stack: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the tests of a file."""
    with opened(tmp_path_factory.mktemp("site"), stack) as made:
        yield made


@pytest.fixture(scope="session")
def open_site() -> Callable[..., AbstractContextManager[Site]]:
    """For a test that brings engines of its own."""
    return opened


@pytest.fixture(scope="session", name="answer")
def _answer() -> Callable[..., Play]:
    """What a target does that answers well."""
    return answer
