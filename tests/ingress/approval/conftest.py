"""Desks on a log in memory, or on the real topic: the same suite runs on both.

A test asks at a desk, and speaks on the log as a reviewer's tools do. Every wait is bounded by `SECONDS`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import Producer

from tachograph.approvals.tail import Entry
from tachograph.ingress.admission import ApprovalNeed, Asked, Decision, Effect
from tachograph.ingress.approval.desk import Desk, Sources
from tachograph.ingress.approval.digests import Digests
from tachograph.ingress.approval.opening import open_desk
from tachograph.schemas.approval import ApprovalEvent, ApprovalKey, Decided, Reviewer
from tachograph.schemas.approval_book import Approval
from tachograph.schemas.config import Approval as ApprovalSettings
from tachograph.schemas.config import Configuration, Kafka
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.payload import ApprovalMeta

SECONDS = 30.0
KEY = bytes(range(32))
KEK = KeyEncryptionKey(bytes(range(1, 33)))
BOT = Principal(id="deploy-bot", kind=PrincipalKind.API_KEY)
FILES = Connection.model_validate({"name": "files", "protocol": "http", "upstream": "http://127.0.0.1:9"})
TOOLS = Connection.model_validate({"name": "tools", "protocol": "mcp", "upstream": "http://127.0.0.1:9"})
SESSION = uuid.UUID(int=0x5E)


@pytest.fixture(scope="session")
def play() -> Any:
    """The words of this file, for tests that are written in them."""
    return sys.modules[__name__]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def person(name: str, *groups: str) -> Reviewer:
    principal = Principal(id=name, kind=PrincipalKind.OIDC, issuer="https://id.example")
    return Reviewer(principal=principal, groups=groups or ("ops",), via="console")


RUTH, OLAF, DORA = person("ruth"), person("olaf"), person("dora", "dba")


def asked(**fields: Any) -> Asked:
    values: dict[str, Any] = {
        "exchange": uuid.uuid4(),
        "session": SESSION,
        "connection": FILES,
        "principal": BOT,
        "groups": frozenset(),
        "actors": (),
        "method": "DELETE",
        "target": "/files/7?force=1",
        "headers": (("Content-Type", "application/json"),),
        "client": "127.0.0.1:1",
        "started_ns": 1,
        "body": b'{"all": true}',
    }
    return Asked(**(values | fields))


def decision(*needs: ApprovalNeed, minutes: int = 10, reviewers: int = 1, group: str = "ops") -> Decision:
    need = ApprovalNeed(
        group=group, minutes=minutes, reviewers=reviewers, reason="deletes", policy="deletions"
    )
    return Decision(
        effect=Effect.APPROVAL,
        policies=("deletions",),
        reason="",
        digest="d" * 64,
        inputs="e" * 64,
        micros=1,
        needs=needs or (need,),
    )


@dataclass
class Record:
    """An exchange's record that keeps what it is told, and can refuse."""

    request_uid: uuid.UUID | None = field(default_factory=uuid.uuid4)
    told: list[tuple[str, str, ApprovalMeta]] = field(default_factory=list)
    refuses: Exception | None = None

    async def decided(self, decision: str, *, reason: str, approval: ApprovalMeta) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.told.append((decision, reason, approval))

    @property
    def outcome(self) -> tuple[str, str]:
        assert len(self.told) == 1, "exactly one decision record"
        return self.told[0][0], self.told[0][2].outcome


@dataclass
class Client:
    """The agent's side of one waiting request."""

    signs: int = 0
    left: bool = False

    def alive(self) -> None:
        self.signs += 1

    def gone(self) -> bool:
        return self.left


class Journal(Protocol):
    """The log, in memory or real."""

    def append(self, event: ApprovalEvent) -> None: ...

    def open(self, **settings: Any) -> contextlib.AbstractAsyncContextManager[Desk]: ...


class MemoryLog:
    """A log in memory: every desk reads every event, on the next turn of the loop. It can be cut."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.desks: list[Desk] = []
        self.cut = False
        self.skew_ms = 0

    def append(self, event: ApprovalEvent) -> None:
        if self.cut:
            return
        entry = Entry(event, now_ms() + self.skew_ms)
        self.entries.append(entry)
        for desk in self.desks:
            desk.read([entry])

    @contextlib.asynccontextmanager
    async def open(self, *, sources: Sources | None = None, **settings: Any) -> AsyncIterator[Desk]:
        desk = Desk(
            write=self.append,
            digests=Digests(KEK),
            settings=ApprovalSettings(**settings),
            instance=uuid.uuid4(),
            sources=sources or Sources(),
        )
        desk.begun()
        desk.read(self.entries)
        self.desks.append(desk)
        beat = asyncio.create_task(self._beat(desk))
        try:
            yield desk
        finally:
            beat.cancel()
            self.desks.remove(desk)
            desk.close()

    async def _beat(self, desk: Desk) -> None:
        while True:
            if not self.cut:
                desk.fresh(time.monotonic())
            await asyncio.sleep(0.05)


class KafkaLog:
    """The real topic."""

    def __init__(self, kafka: Kafka, base: Path) -> None:
        (base / "keys").mkdir(mode=0o700)
        (base / "keys" / "approvals").touch(0o600)
        (base / "keys" / "approvals").write_bytes(base64.b64encode(KEY))
        self._kafka = kafka
        self._base = base
        self._key = ApprovalKey(KEY)
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})

    def append(self, event: ApprovalEvent) -> None:
        self.put(self._key.seal(event))

    def put(self, value: bytes) -> None:
        self._producer.produce(self._kafka.topics.approvals, value=value)
        assert self._producer.flush(SECONDS) == 0

    @contextlib.asynccontextmanager
    async def open(self, *, sources: Sources | None = None, **settings: Any) -> AsyncIterator[Desk]:
        config = Configuration(kafka=self._kafka, approval=ApprovalSettings(**settings))
        async with open_desk(config, base=self._base, kek=KEK, sources=sources) as desk:
            await until(lambda: desk._fresh_at > 0, "the end of the log")
            yield desk


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.engines)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    """The same suite on both."""
    if request.param == "memory":
        return MemoryLog()
    return KafkaLog(request.getfixturevalue("kafka"), tmp_path)


@pytest.fixture
def memory() -> MemoryLog:
    return MemoryLog()


@dataclass
class Held:
    """One request at a desk."""

    task: asyncio.Task[None]
    record: Record
    client: Client
    asked: Asked

    async def ends(self) -> None:
        await asyncio.wait_for(asyncio.shield(self.task), SECONDS)


def hold(desk: Desk, what: Asked | None = None, verdict: Decision | None = None) -> Held:
    """Let a request wait at a desk."""
    record, client, what = Record(), Client(), what or asked()
    coming: Coroutine[Any, Any, None] = desk.hold(
        what,
        verdict or decision(),
        record,  # type: ignore[arg-type]  # as much of an ExchangeRecord as a desk uses
        alive=client.alive,
        gone=client.gone,
    )
    return Held(asyncio.create_task(coming), record, client, what)


async def until(ready: Callable[[], Any], what: str) -> Any:
    """Wait for a fact, at most `SECONDS`."""
    deadline = time.monotonic() + SECONDS
    while not (found := ready()):
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.01)
    return found


async def pending(desk: Desk, count: int = 1) -> list[Approval]:
    """The approvals that wait, once there are so many."""
    found: list[Approval] = await until(
        lambda: (now := list(desk.book.pending(now_ms()))) and len(now) == count and now,
        f"{count} pending approvals",
    )
    return found


def decided(approval: Approval, who: Reviewer, verdict: str = "approve", **fields: Any) -> Decided:
    values: dict[str, Any] = {
        "approval": approval.id,
        "at": now_ms(),
        "decision": uuid.uuid4(),
        "verdict": verdict,
        "reviewer": who,
        "request_digest": approval.requested.request_digest,
        "shown": "f" * 64,
    }
    return Decided(**(values | fields))


def voided(desk: Desk, approval: Approval) -> Approval | None:
    """The approval, once a decision about it was found void."""
    found = desk.book.find(approval.id)
    return found if found is not None and found.voids else None
