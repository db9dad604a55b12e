"""A console of one's own without Kafka or a network: the real application over a log in memory."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tachograph.approvals.tail import Entry
from tachograph.console.api import Api
from tachograph.console.app import Rooms, console_app
from tachograph.console.bearer import Bearer
from tachograph.console.browser import Browser
from tachograph.console.desk import Clock, Desk
from tachograph.console.documents import Documents
from tachograph.console.inbox import Inbox
from tachograph.console.link_pages import LinkPages
from tachograph.console.links import LinkKey
from tachograph.console.live import Live
from tachograph.console.local_login import LocalLinks
from tachograph.console.login import Begun, Returned
from tachograph.console.login_pages import Doors, LoginPages
from tachograph.console.metrics import Metrics
from tachograph.console.people import Person
from tachograph.console.reviewing import Reviewing
from tachograph.console.sessions import OneTime, Sessions
from tachograph.console.templating import Templates
from tachograph.identity.api_keys import ApiKeyFile
from tachograph.identity.errors import LoginRefused
from tachograph.identity.oidc import TokenVerifier
from tachograph.identity.proof import Proof
from tachograph.schemas.approval import ApprovalEvent, ApprovalKey, Need, Requested
from tachograph.schemas.approval_book import Approval
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

SECRET = bytes(range(32))
ISSUER = "https://idp.example"
START_MS = 1_790_000_000_000
LOG_SECONDS = 60.0
"""How long the log may take; where it never answers, a test makes this shorter."""
API_KEY = "tacho_abcdefgh_" + "k" * 43


def proof(name: str, *groups: str, issuer: str | None = ISSUER, actors: tuple[str, ...] = ()) -> Proof:
    """Somebody whom the issuer vouches for."""
    principal = Principal(id=name, kind=PrincipalKind.OIDC, issuer=issuer, actors=actors)
    return Proof(principal, groups=frozenset(groups))


@dataclass
class Time:
    """A clock that is told what time it is."""

    wall: int = START_MS
    mono: float = 1000.0

    def on(self, seconds: float) -> None:
        self.wall += int(seconds * 1000)
        self.mono += seconds


@dataclass
class FakeMethod:
    """A way to log in that believes what it is told."""

    key: str = "sso"
    label: str = "Single sign-on"
    takes_forms: bool = False
    answer: Proof | None = None
    seen: list[Returned] = field(default_factory=list)

    async def begin(self) -> Begun:
        return Begun("https://idp.example/authorize?x=1", "kept")

    async def finish(self, kept: object, returned: Returned) -> Proof:
        self.seen.append(returned)
        if self.answer is None or kept != "kept":
            raise LoginRefused("the person declined")
        return self.answer


class World:
    """The log, the documents, the clock, and the application over them."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.time = Time()
        self.origin = origin
        self.key = ApprovalKey(SECRET)
        self.link_key = LinkKey(SECRET)
        self.log: list[ApprovalEvent] = []
        self.stored: dict[str, bytes] = {}
        self.searched: list[dict[str, Any]] = []
        self.write: Callable[[ApprovalEvent], None] = self.land
        clock = Clock(lambda: self.time.wall, lambda: self.time.mono)
        self.desk = Desk(write=self._write, log_timeout=LOG_SECONDS, clock=clock)
        self.desk._begin()
        self.freshen()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._opensearch), base_url="http://os")
        self.documents = Documents(client, index_prefix="t")
        self.reviewing = Reviewing(self.desk, self.documents, auditors=("auditors",))
        self.metrics = Metrics()
        self.method = FakeMethod()
        self.posting = FakeMethod(key="saml", label="SAML", takes_forms=True)
        self._build(folder, clock)

    def _build(self, folder: Path, clock: Clock) -> None:
        made = iter(range(1, 1_000_000))

        def randomness(size: int) -> bytes:
            return hashlib.sha256(str(next(made)).encode()).digest()[:size]

        def mono() -> float:
            return self.time.mono

        self.sessions = Sessions(seconds=3600, idle_seconds=600, monotonic=mono, randomness=randomness)
        self.browser = Browser(self.sessions, secure=self.origin.startswith("https:"), session_seconds=3600)
        keys = folder / "keys.yaml"
        digest = hashlib.sha256(API_KEY.encode()).hexdigest()
        keys.write_text(
            f"- {{id: abcdefgh, name: robot, hash: '{digest}', created: 2026-01-01, groups: [ops]}}\n"
        )
        keys.chmod(0o600)
        bearer = Bearer(
            ApiKeyFile(keys, now=lambda: datetime(2026, 2, 1, tzinfo=UTC), monotonic=mono),
            TokenVerifier([], lambda _: httpx.AsyncClient(), now=lambda: 0.0, monotonic=mono),
        )
        templates = Templates()

        def once() -> OneTime[Any]:
            return OneTime(seconds=600, most=8, monotonic=mono, randomness=randomness)

        methods = [self.method, self.posting]
        self.local = LocalLinks(self.link_key, wall_ms=clock.wall_ms)
        doors = Doors(self.sessions, once(), once(), methods, self.local)
        self.live = Live(self.desk, self.browser, self.sessions)
        rooms = Rooms(
            inbox=Inbox(self.reviewing, self.browser, templates, self.metrics, minutes=30),
            login=LoginPages(doors, self.browser, templates, self.metrics),
            links=LinkPages(self.reviewing, self.link_key, templates, self.metrics, clock),
            api=Api(self.reviewing, bearer, self.metrics),
            live=self.live,
            templates=templates,
            methods=methods,
        )
        self.app = console_app(rooms, origin=self.origin)

    # -- the log -----------------------------------------------------------------------------------

    def _write(self, event: ApprovalEvent) -> None:
        self.write(event)

    def land(self, event: ApprovalEvent) -> None:
        """The event goes through its byte form onto the log, stamped with the clock's time."""
        read = self.key.open(self.key.seal(event))
        self.log.append(read)
        self.desk._fold([Entry(read, self.time.wall)])

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the loop go round until it holds, within a bound."""
        deadline = time.monotonic() + LOG_SECONDS
        while not holds():
            assert time.monotonic() < deadline, "it did not come true in time"
            await asyncio.sleep(0.001)

    def freshen(self) -> None:
        self.desk._refresh(self.time.mono)

    def asks(self, who: str = "bot", *, groups: tuple[str, ...] = ("ops",), **fields: Any) -> Approval:
        """A request waits; its document is there."""
        values: dict[str, Any] = {
            "approval": uuid.uuid4(),
            "at": self.time.wall,
            "exchange": uuid.uuid4(),
            "session": uuid.uuid4(),
            "record": uuid.uuid4(),
            "connection": "files",
            "protocol": Protocol.HTTP,
            "requester": Principal(id=who, kind=PrincipalKind.API_KEY),
            "needs": tuple(Need(group=group, reason="deletes", policy="p1") for group in groups),
            "request_digest": hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
            "scope_digest": "b" * 64,
            "policy_digest": "c" * 64,
            "wait_seconds": 600,
            "instance": uuid.uuid4(),
        } | fields
        event = Requested(**values)
        self.store(event.record, {"unmapped": {"tacho": {"type": "request", "method": "DELETE"}}})
        self.land(event)
        found = self.desk.book.find(event.approval)
        assert found is not None
        return found

    def store(self, record: uuid.UUID, source: dict[str, Any]) -> str:
        """The masked document of a record; its digest."""
        data = orjson.dumps(source)
        self.stored[str(record)] = data
        return hashlib.sha256(data).hexdigest()

    def digest(self, approval: Approval) -> str:
        return hashlib.sha256(self.stored[str(approval.requested.record)]).hexdigest()

    def _opensearch(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/_search"):
            body = orjson.dumps({"hits": {"hits": [{"_source": each} for each in self.searched]}})
            return httpx.Response(200, content=body)
        found = self.stored.get(request.url.path.rpartition("/")[2])
        day = datetime.fromtimestamp(START_MS / 1000, UTC).strftime("%Y.%m.%d")
        here = request.url.path.startswith(f"/t-events-{day}/")
        return httpx.Response(200, content=found) if found and here else httpx.Response(404)

    # -- people ------------------------------------------------------------------------------------

    def browser_of(self, name: str = "", *groups: str) -> Visitor:
        """A browser, in which somebody is logged in if named."""
        visitor = Visitor(self)
        if name:
            session = self.sessions.begin(Person(proof(name, *groups), via="console"), method="sso")
            visitor.plant(self.browser.session_cookie, session)
        return visitor


class Visitor:
    """One browser."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(world.app), base_url=world.origin, follow_redirects=False
        )

    def plant(self, name: str, value: str) -> None:
        """Put a cookie into the browser, as if the console had."""
        host = self.world.origin.partition("://")[2].partition(":")[0]
        self.client.cookies.set(name, value, domain=host)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(path, **more)

    async def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        """As a browser posts a form of a page of ours; a header may be given another value, or none ('')."""
        kind = "application/x-www-form-urlencoded"
        told = {"origin": self.world.origin, "content-type": kind} | headers
        return await self.client.post(path, data=form, headers={k: v for k, v in told.items() if v})

    async def form(self, approval: Approval) -> dict[str, str]:
        """The fields of the page's form."""
        page = (await self.get(f"/approvals/{approval.id}")).text
        inputs = re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', page)
        return dict(inputs)

    async def decide(self, approval: Approval, verdict: str, **fields: str) -> httpx.Response:
        """Look at it, then press the button."""
        form = await self.form(approval) | {"verdict": verdict, "comment": "", "minutes": "30"} | fields
        return await self.post(f"/approvals/{approval.id}/decision", form)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """A console on this machine, by plain HTTP."""
    return World(tmp_path, "http://127.0.0.1:8090")


@pytest.fixture
async def secure_world(tmp_path: Path) -> World:
    """A console that people reach by https."""
    return World(tmp_path, "https://console.example")
