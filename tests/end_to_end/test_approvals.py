"""Requests wait for people while parts are killed: none is lost, none goes twice, none goes undecided.

Real ingress processes on a real Kafka; what arrives is counted at a real target.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient

from tachograph.approvals.pen import Pen
from tachograph.approvals.tail import Entry, Tail
from tachograph.cli.api_keys import ApiKeys
from tachograph.cli.demo.evidence import read_topic
from tachograph.cli.home import make_key_files
from tachograph.cli.stack import state
from tachograph.cli.stack.engines import Stack, StackConfig
from tachograph.cli.stack.ports import choose
from tachograph.cli.stack.progress import Plain
from tachograph.ingress.keyfile import read_key
from tachograph.schemas.approval import ApprovalKey, Decided, Requested, Reviewer
from tachograph.schemas.approval_book import Approval, ApprovalBook, State
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import load_configuration
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey
from tachograph.schemas.payload import DecisionMeta, decode_payload
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.topic_admin import TopicAdmin

pytestmark = pytest.mark.engines

SECONDS = 120.0
HELD_SECONDS = 4 * SECONDS
"""How long who asks waits for an answer: through every wait of a test."""
POLICY = """
@id("reading") permit(principal, action == Action::"http.request", resource) when { context.method == "GET" };
@id("deletions") @reason("Deleting needs a second pair of eyes") @approval("ops") @approval_minutes("10")
permit(principal, action == Action::"http.request", resource) when { context.method == "DELETE" };
"""
INGRESS = """
import functools, os, signal, sys
from tachograph.ingress import serve
from tachograph.ingress.approval.desk import Sources
file, kill_at = sys.argv[1:]
def at(point):
    if point == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
serve.open_desk = functools.partial(serve.open_desk, sources=Sources(at=at))
from tachograph.cli.main import main
sys.argv = ["tacho", "ingress", "--config", file]
main()
"""
RUTH = Reviewer(
    principal=Principal(id="ruth", kind=PrincipalKind.OIDC, issuer="https://id.example"),
    groups=("ops",),
    via="console",
)


def eventually(ready: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := ready()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return found


class Target:
    """A real HTTP server that counts what arrives, by body; `on_arrival` is told before it answers."""

    def __init__(self) -> None:
        self.arrived: Counter[bytes] = Counter()
        self.on_arrival: Callable[[], None] = lambda: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_DELETE(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.arrived[body] += 1
                outer.on_arrival()
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Reviewers:
    """Follows the topic as the console does, and decides what it is told to."""

    def __init__(self, config: Configuration, base: Path) -> None:
        key = ApprovalKey(read_key(base / config.keys.approvals_file))
        settings: dict[str, object] = {"bootstrap.servers": config.kafka.bootstrap_servers, "log_level": 0}
        topic = config.kafka.topics.approvals
        self.book = ApprovalBook()
        self.entries: list[Entry] = []
        self._lock = threading.Lock()
        self._pen = Pen(topic=topic, key=key, settings=settings, give_up_seconds=SECONDS)
        self._tail = Tail(self, topic=topic, key=key, settings=settings)
        self._tail.start()

    def begun(self) -> None:
        with self._lock:
            self.book, self.entries = ApprovalBook(), []

    def read(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            self.entries += entries
            for entry in entries:
                self.book.add(entry.event, entry.log_ms)

    def fresh(self, asked: float) -> None:
        pass

    def pending(self, count: int = 1) -> list[Approval]:
        def now() -> list[Approval]:
            with self._lock:
                return list(self.book.pending(time.time_ns() // 1_000_000))

        found: list[Approval] = eventually(
            lambda: (got := now()) and len(got) == count and got, f"{count} pending"
        )
        return found

    def decide(self, approval: Approval, verdict: str = "approve", **fields: Any) -> Decided:
        values: dict[str, Any] = {
            "approval": approval.id,
            "at": time.time_ns() // 1_000_000,
            "decision": uuid.uuid4(),
            "verdict": verdict,
            "reviewer": RUTH,
            "request_digest": approval.requested.request_digest,
            "shown": "f" * 64,
        }
        event = Decided(**(values | fields))
        self._pen.write(event)
        eventually(lambda: self._has(event), "the decision to be on the log")
        return event

    def _has(self, event: Decided) -> bool:
        with self._lock:
            return any(entry.event == event for entry in self.entries)

    def count(self, kind: type) -> int:
        with self._lock:
            return sum(isinstance(entry.event, kind) for entry in self.entries)

    def used(self) -> list[Approval]:
        with self._lock:
            now = self.book.now_ms
            return [each for each in self.book.approvals() if each.state(now) is State.CLAIMED]

    def close(self) -> None:
        self._tail.stop()
        self._pen.close()


class Site:
    """One installation: keys, policy, target, reviewers, and ingress processes that come and go."""

    def __init__(self, base: Path, bootstrap: str, *, log_timeout: float = SECONDS) -> None:
        make_key_files(base / "keys", randomness=os.urandom)
        made = ApiKeys(base / "keys" / "api-keys.yaml").create(
            "bot", randomness=os.urandom, now="2026-01-01T00:00:00Z"
        )
        self.key = made.text
        self.target = Target()
        (base / "policy.cedar").write_text(POLICY)
        self._base = base
        self._told = {
            "kafka": {"bootstrap_servers": bootstrap, "topic_prefix": f"approvals-{uuid.uuid4().hex[:12]}"},
            "policy": {"files": ["policy.cedar"]},
            "approval": {"log_timeout": log_timeout},
            "connections": [{"name": "files", "protocol": "http", "upstream": self.target.url}],
        }
        self.config = self._write("tacho.yaml", 0)[0]
        self._topics(create=True)
        self.reviewers = Reviewers(self.config, base)
        self._running: list[subprocess.Popen[str]] = []

    def _write(self, name: str, number: int) -> tuple[Configuration, Path]:
        file = self._base / name
        told = {
            "listen": {"port": 0},
            "metrics": {"port": choose(0, set())},
            "spool": {"path": f"spool-{number}"},
        }
        file.write_text(yaml.safe_dump(self._told | {"ingress": told}))
        return load_configuration(file.read_text(), file=str(file)), file

    def _topics(self, *, create: bool) -> None:
        kafka = self.config.kafka
        client = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
        specs = topic_specs(kafka.topics, partitions=1, raw_retention_hours=1, masked_retention_hours=1)
        if create:
            TopicAdmin(client).create(*specs)
            return
        admin = AdminClient(client)
        for future in admin.delete_topics([spec.name for spec in specs]).values():
            future.result(timeout=SECONDS)

    def start(self, *, kill_at: str = "", number: int = 0) -> Ingress:
        _, file = self._write(f"tacho-{number}.yaml", number)
        with (self._base / f"ingress-{number}.err").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", INGRESS, str(file), kill_at],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), (self._base / f"ingress-{number}.err").read_text()
        told = json.loads(line.removeprefix("ready "))
        return Ingress(process, told["ingress"], told["metrics"])

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.terminate()
            process.wait(SECONDS)
            assert process.stdout is not None
            process.stdout.close()
        self.reviewers.close()
        self.target.close()
        with contextlib.suppress(Exception):
            self._topics(create=False)

    # -- what was forwarded, and why -----------------------------------------------------------------

    def decision_records(self) -> list[DecisionMeta]:
        """Every decision record of the raw topic, decrypted."""
        kafka = self.config.kafka
        kek = KeyEncryptionKey(read_key(self._base / self.config.keys.kek_file))
        wrapped = [WrappedKey.decode(m.value) for m in read_topic(kafka.bootstrap_servers, kafka.topics.keys)]
        ciphers = {key.strand: kek.unwrap(key) for key in wrapped}
        found = []
        for message in read_topic(kafka.bootstrap_servers, kafka.topics.raw):
            if message.header("type") != "decision":
                continue
            sealed = parse_sealed(message.value)
            header = sealed.header
            cipher = ciphers[f"{header.session}/{header.epoch}"]
            meta = decode_payload(open_sealed(sealed, cipher=cipher)).meta
            assert isinstance(meta, DecisionMeta)
            found.append(meta)
        return found

    def _allowed(self) -> int:
        return sum(meta.decision == "allow" for meta in self.decision_records())

    def check(self, *bodies: bytes, arrivals: int = 1) -> None:
        """Each body arrived so often; behind each arrival there is a claim, a decision, and its record."""
        assert dict(self.target.arrived) == dict.fromkeys(bodies, arrivals)
        forwarded = sum(self.target.arrived.values())
        eventually(lambda: len(self.reviewers.used()) >= forwarded, "a claim of its own for each arrival")
        assert all(not each.missing() for each in self.reviewers.used()), "claimed without a decision"
        eventually(
            lambda: self._allowed() >= forwarded, "a record of every decision that forwarded something"
        )


class Ingress:
    """One process, and how it is called."""

    def __init__(self, process: subprocess.Popen[str], url: str, metrics: str) -> None:
        self.process = process
        self._metrics = metrics.removeprefix("http://")
        self._address = url.removeprefix("http://")

    def delete(self, key: str, body: bytes) -> Answer:
        return Answer(self._address, key, body)

    def waiting(self) -> int:
        """How many requests wait for people, once this process's view of the log is whole."""
        connection = http.client.HTTPConnection(self._metrics, timeout=SECONDS)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        fresh = float(values["tacho_ingress_approvals_log_age_seconds"]) < 4
        return int(float(values["tacho_ingress_approvals_waiting"])) if fresh else 0

    def died(self) -> bool:
        eventually(lambda: self.process.poll() is not None, "the process to be killed")
        return self.process.returncode == -signal.SIGKILL


class Answer(threading.Thread):
    """One request on its way; `status` is 0 if the connection broke."""

    def __init__(self, address: str, key: str, body: bytes) -> None:
        super().__init__(daemon=True)
        self._address, self._key, self._body = address, key, body
        self.status, self.text = -1, b""
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=HELD_SECONDS)
        headers = {"x-tacho-key": self._key, "x-tacho-session": "11111111-1111-4111-8111-111111111111"}
        try:
            connection.request("DELETE", "/c/files/7", self._body, headers)
            answer = connection.getresponse()
            self.text = answer.read()
            self.status = answer.status
        except (OSError, http.client.HTTPException):
            self.status = 0
        finally:
            connection.close()

    def ended(self) -> int:
        self.join(SECONDS)
        assert not self.is_alive(), "no answer in time"
        return self.status


@pytest.fixture
def site(stack: Any, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, stack.bootstrap_servers)
    yield made
    made.close()


@pytest.mark.parametrize("point", ["asking", "asked", "decided", "claimed", "recorded"])
def test_the_ingress_is_killed_on_the_way_of_a_held_request(site: Site, point: str) -> None:
    """At every named point: the retry is answered, the target saw it once, after a decision."""
    ingress = site.start(kill_at=point)
    first = ingress.delete(site.key, b"{}")
    if point not in {"asking", "asked"}:
        site.reviewers.decide(site.reviewers.pending()[0])
    assert ingress.died()
    assert first.ended() == 0
    assert not site.target.arrived
    again = site.start().delete(site.key, b"{}")
    if point != "decided":  # there the decision was made and nobody had used it: the retry does
        site.reviewers.decide(site.reviewers.pending()[0])
    assert again.ended() == 200
    assert site.reviewers.count(Requested) == (2 if point in {"claimed", "recorded"} else 1)
    site.check(b"{}")


def test_the_ingress_is_killed_while_requests_wait_and_after_forwarding(site: Site) -> None:
    """Three wait when it dies: all join again and go once. One dies after forwarding: used up, asked anew."""
    ingress = site.start()
    bodies = [json.dumps({"n": n}).encode() for n in range(3)]
    lost = [ingress.delete(site.key, body) for body in bodies]
    waiting = {approval.id for approval in site.reviewers.pending(3)}
    ingress.process.kill()
    assert [each.ended() for each in lost] == [0, 0, 0]
    ingress = site.start()
    again = [ingress.delete(site.key, body) for body in bodies]
    assert {approval.id for approval in site.reviewers.pending(3)} == waiting, "no second approval"
    for approval in site.reviewers.pending(3):
        site.reviewers.decide(approval)
    assert [each.ended() for each in again] == [200, 200, 200]
    site.check(*bodies)

    site.target.on_arrival = ingress.process.kill
    cut = ingress.delete(site.key, b"last")
    site.reviewers.decide(site.reviewers.pending()[0])
    assert cut.ended() == 0
    site.target.on_arrival = lambda: None
    retry = site.start().delete(site.key, b"last")
    (anew,) = site.reviewers.pending()
    assert site.target.arrived[b"last"] == 1, "nothing goes again by itself"
    site.reviewers.decide(anew, "deny", comment="it was done")
    assert retry.ended() == 403
    assert b"it was done" in retry.text
    site.check(*bodies, b"last")


def test_several_workers_let_one_request_through_once(site: Site) -> None:
    """The same request waits twice at each of two instances: one approval, one arrival, three are told so."""
    ingresses = [site.start(number=number) for number in range(2)]
    answers = [ingress.delete(site.key, b"{}") for ingress in ingresses for _ in range(2)]
    for ingress in ingresses:
        eventually(lambda ingress=ingress: ingress.waiting() == 2, "both to wait at each instance")
    site.reviewers.decide(site.reviewers.pending()[0])
    assert Counter(answer.ended() for answer in answers) == {200: 1, 403: 3}
    assert sum(b"used by another" in answer.text for answer in answers) == 3
    site.check(b"{}")


def test_a_forged_decision_and_one_by_the_requester_open_nothing(site: Site) -> None:
    """Neither another key's signature nor the agent's own yes counts; the next honest one does."""
    answer = site.start().delete(site.key, b"{}")
    (approval,) = site.reviewers.pending()
    forger = Pen(
        topic=site.config.kafka.topics.approvals,
        key=ApprovalKey(bytes(32)),
        settings={"bootstrap.servers": site.config.kafka.bootstrap_servers},
        give_up_seconds=SECONDS,
    )
    bot = Reviewer(principal=Principal(id="bot", kind=PrincipalKind.API_KEY), groups=("ops",), via="console")
    honest = site.reviewers.decide(approval, reviewer=bot)
    forger.write(honest.model_copy(update={"reviewer": RUTH, "decision": uuid.uuid4()}))
    forger.close()
    assert [each.id for each in site.reviewers.pending()] == [approval.id]
    assert not site.target.arrived
    site.reviewers.decide(approval)
    assert answer.ended() == 200
    site.check(b"{}")


class Broker:
    """A Kafka of the test's own, which may die."""

    def __init__(self, home: Path) -> None:
        self._config = StackConfig(
            home=home, kafka_port=choose(0, set()), controller_port=0, with_opensearch=False
        )
        self.start()

    def start(self) -> None:
        self._stack = Stack(self._config)
        self.servers = self._stack.start(Plain(sys.stderr)).bootstrap_servers

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        recorded = state.read(self._config.home)
        assert recorded is not None
        (engine,) = recorded.engines
        os.kill(engine.process.pid, signal.SIGKILL)
        self._stack.stop()

    def stop(self) -> None:
        self._stack.stop()


KAFKA_SECONDS = 15.0
"""How long a word about an approval may take where Kafka dies: until then nobody is told that it is away."""


def test_kafka_is_killed_while_a_request_waits(home: Path, tmp_path: Path) -> None:
    """What waits goes on waiting; what is new gets a 503; when Kafka is back both go once, as decided."""
    broker = Broker(home)
    try:
        site = Site(tmp_path, broker.servers, log_timeout=KAFKA_SECONDS)
        try:
            ingress = site.start()
            waits = ingress.delete(site.key, b"waits")
            (approval,) = site.reviewers.pending()
            broker.kill()
            new = ingress.delete(site.key, b"new")
            assert new.ended() == 503
            assert waits.is_alive()
            broker.start()
            site.reviewers.decide(approval)
            assert waits.ended() == 200
            late = ingress.delete(site.key, b"new")
            site.reviewers.decide(site.reviewers.pending()[0])
            assert late.ended() == 200
            site.check(b"waits", b"new")
        finally:
            site.close()
    finally:
        broker.stop()
