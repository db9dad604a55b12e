"""The console is killed around a decision: one decision counts, and what waited goes once or is refused once.

A real gateway on Kafka and OpenSearch, a real console process, its own pages and forms.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import html

from tachograph.console.kafka_settings import read_key
from tachograph.console.links import LinkKey
from tachograph.console.local_login import local_link
from tachograph.schemas.approval import ApprovalKey, Claimed, Decided, Requested

pytestmark = pytest.mark.engines

SECONDS = 120.0
HELD_SECONDS = 4 * SECONDS
"""How long who asks waits for an answer: through every wait of a test."""
APPROVE = "//button[@value='approve']"
OVER = "//section[@aria-labelledby='decide']/p[@class='notice']/text()"
FORM = {"content-type": "application/x-www-form-urlencoded"}
POLICY = """
@id("deletes") @approval("ops") @approval_minutes("10") @reason("deletes are looked at")
permit (principal, action, resource) when { context.method == "DELETE" };
"""
CONSOLE = """
import os, signal, sys
from pathlib import Path
from tachograph.console import serve
file, fuse = sys.argv[1:]
def at(point):
    if Path(fuse).read_text() == point:
        os.kill(os.getpid(), signal.SIGKILL)
class Desk(serve.Desk):
    async def append(self, event):
        at("deciding")
        void = await super().append(event)
        at("read back")
        return void
class Pen(serve.Pen):
    def write(self, event):
        super().write(event)
        at("sent")
        if Path(fuse).read_text() == "written":
            self._producer.flush(120)
            at("written")
class Live(serve.Live):
    async def _stream(self, session):
        first = True
        async for piece in super()._stream(session):
            if not first and piece.startswith(b"data:"):
                at("telling")
            yield piece
            first = False
serve.Desk, serve.Pen, serve.Live = Desk, Pen, Live
from tachograph.cli.main import main
sys.argv = ["tacho", "console", "--config", file]
main()
"""


@pytest.fixture(scope="module")
def site(
    stack: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A gateway whose policy wants people for every DELETE."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "policy.cedar").write_text(POLICY)
    more = {
        "policy": {"files": ["policy.cedar"]},
        "approval": {"log_timeout": SECONDS},
        "console": {"listen": {"port": 0}},
    }
    with open_site(folder, stack, more) as made:
        yield made


@pytest.fixture(scope="module")
def arrived(site: Any) -> Counter[str]:
    """What reached the target, by path."""
    counts: Counter[str] = Counter()
    answer = site.target.play

    def play(peer: Any, head: bytes) -> None:
        counts[head.split()[1].decode()] += 1
        answer(peer, head)

    site.target.play = play
    return counts


class Console:
    """The one console of the site, which comes again after each end; `fuse` says where it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fuse = folder / "fuse"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Unless it runs."""
        self._fuse.write_text("")
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        with (self._folder / "console.err").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CONSOLE, str(self._folder / "tacho.yaml"), str(self._fuse)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("ready "), (self._folder / "console.err").read_text()
        self.url = json.loads(line.removeprefix("ready "))["console"]

    def dies(self, point: str) -> None:
        """The next time that it comes there."""
        self._fuse.write_text(point)

    def died(self) -> None:
        """It is gone, by the signal that nothing can handle."""
        assert self._process is not None
        assert self._process.wait(SECONDS) == -signal.SIGKILL

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)
            assert self._process.stdout is not None
            self._process.stdout.close()


@pytest.fixture(scope="module")
def processes(site: Any) -> Iterator[Console]:
    made = Console(site.folder)
    yield made
    made.close()


@pytest.fixture
def console(processes: Console) -> Console:
    processes.start()
    return processes


class Agent(threading.Thread):
    """A request on its way to the target, held by the policy."""

    def __init__(self, site: Any) -> None:
        super().__init__(daemon=True)
        self._site = site
        self.path = f"/files/{uuid.uuid4()}"
        self._answer: httpx.Response | None = None
        before = {each.approval for each in events(site, Requested)}
        self.start()
        new: list[Any] = []

        def asked() -> bool:
            new[:] = [each for each in events(site, Requested) if each.approval not in before]
            return bool(new)

        site.eventually(asked)
        (self.asked,) = new

    def run(self) -> None:
        url = f"{self._site.url}/c/api{self.path}"
        self._answer = httpx.delete(url, headers={"x-tacho-key": self._site.key}, timeout=HELD_SECONDS)

    def status(self) -> int:
        self.join(SECONDS)
        assert self._answer is not None, "no answer in time"
        return self._answer.status_code

    def waits(self) -> bool:
        return self._answer is None


def events(site: Any, kind: type) -> list[Any]:
    """What the approvals topic says, in its order."""
    key = ApprovalKey(read_key(site.folder / site.config.keys.approvals_file))
    told = (key.open(value) for value in site.topic(site.config.kafka.topics.approvals))
    return [each for each in told if isinstance(each, kind)]


class Reviewer:
    """Ruth of `ops` in a browser: logs in, looks, presses a button."""

    def __init__(self, site: Any, url: str) -> None:
        self._site = site
        self._pages = httpx.Client(base_url=url, timeout=SECONDS, headers={"origin": url})
        key = LinkKey(read_key(site.folder / site.config.keys.approvals_file))
        now = time.time_ns() // 1_000_000
        door = local_link(key, "ruth", ("ops",), now_ms=now, uid=uuid.uuid4())
        assert self._pages.post(door, data={}, headers=FORM).status_code == 303

    def __enter__(self) -> Reviewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pages.close()

    def look(self, agent: Agent) -> Any:
        """The request's page, once it is up to date and offers what can be done, or says why nothing can."""
        page: list[Any] = [None]

        def complete() -> bool:
            page[0] = html.fromstring(self._pages.get(f"/approvals/{agent.asked.approval}").content)
            fresh = not page[0].xpath("//p[@class='banner']")
            return fresh and bool(page[0].xpath(f"{APPROVE} | {OVER}"))

        self._site.eventually(complete)
        return page[0]

    def presses(self, page: Any, verdict: str) -> int:
        """The status of the answer; 0 if there was none."""
        (form,) = (each for each in page.forms if each.action.endswith("/decision"))
        try:
            return self._pages.post(form.action, data=dict(form.fields) | {"verdict": verdict}).status_code
        except httpx.TransportError:
            return 0

    def settles(self, agent: Agent, verdict: str) -> int:
        """See that it is decided, or decide; how many decisions count then."""
        page: list[Any] = [None]

        def decided() -> bool:
            page[0] = self.look(agent)
            over = page[0].xpath(OVER)
            if not over:
                self.presses(page[0], verdict)
            return bool(over)

        self._site.eventually(decided)
        assert page[0].xpath(OVER)[0].startswith("This is decided: ruth ")
        return len(page[0].xpath("//ul[@class='said']/li[@class!='void']"))

    def hears(self, heard: threading.Event) -> None:
        """Keep the inbox open until the console lets go."""
        with contextlib.suppress(httpx.TransportError), self._pages.stream("GET", "/events") as stream:
            for _ in stream.iter_lines():
                heard.set()


def check(site: Any, arrived: Counter[str], agent: Agent, verdict: str) -> None:
    """One answer by one decision, which is on record; forwarded once, or not at all."""
    allowed = verdict == "approve"
    assert agent.status() == (200 if allowed else 403)
    assert arrived[agent.path] == allowed
    claims = [each for each in events(site, Claimed) if each.approval == agent.asked.approval]
    assert len(claims) == allowed
    told: list[str] = []

    def recorded() -> bool:
        records = (each["unmapped"]["tacho"] for each in site.documents())
        mine = (each for each in records if each.get("exchange") == str(agent.asked.exchange))
        told[:] = [each["decision"] for each in mine if each["type"] == "decision"]
        return bool(told)

    site.eventually(recorded)
    assert told == ["allow" if allowed else "deny"]


@pytest.mark.parametrize(
    ("point", "verdict"),
    [
        ("deciding", "approve"),
        ("sent", "approve"),
        ("written", "approve"),
        ("written", "deny"),
        ("read back", "approve"),
    ],
)
def test_the_console_is_killed_on_the_way_of_a_decision(
    site: Any, console: Console, arrived: Counter[str], point: str, verdict: str
) -> None:
    """The reviewer gets no answer, looks again, and it is decided or can be: one decision, one outcome."""
    agent = Agent(site)
    with Reviewer(site, console.url) as ruth:
        console.dies(point)
        site.eventually(lambda: ruth.presses(ruth.look(agent), verdict) == 0)
    console.died()
    if point == "deciding":
        assert agent.asked.approval not in {each.approval for each in events(site, Decided)}
        assert agent.waits()
    console.start()
    with Reviewer(site, console.url) as ruth:
        assert ruth.settles(agent, verdict) == 1
    if point != "sent":  # whether that word reached the log is the network's to say
        words = [each for each in events(site, Decided) if each.approval == agent.asked.approval]
        assert len(words) == 1, "what was written is not said again"
    check(site, arrived, agent, verdict)


def test_the_console_is_killed_while_the_inbox_streams(
    site: Any, console: Console, arrived: Counter[str]
) -> None:
    """A page is just being told of a request that waits: the next console shows it, and it goes once."""
    with Reviewer(site, console.url) as ruth:
        heard = threading.Event()
        listening = threading.Thread(target=ruth.hears, args=(heard,), daemon=True)
        listening.start()
        assert heard.wait(SECONDS)
        console.dies("telling")
        agent = Agent(site)
        console.died()
        listening.join(SECONDS)
    assert agent.waits()
    console.start()
    with Reviewer(site, console.url) as ruth:
        assert ruth.settles(agent, "approve") == 1
    check(site, arrived, agent, "approve")
