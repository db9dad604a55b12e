"""The demo's agent, run again against what it saw: the same conversation, with no upstream running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tachograph.cli.demo.plant import facts, plant
from tachograph.cli.supervisor import Part, Supervisor
from tachograph.processors.keyfile import read_key
from tachograph.processors.masking.pseudonyms import PseudonymKey

pytestmark = pytest.mark.engines

SECONDS = 400.0
SERVERS = {"model": "llm", "mcp": "mcp", "http": "http"}
_MODULES = {"model": "model_server", "mcp": "mcp_server", "http": "http_api"}


@dataclass
class Recorded:
    """One run of the agent that is on record, and what it takes to run it again."""

    site: Any
    folder: Path
    facts: Path
    session: str

    def agent(self, url: str, folder: Path, *code: str) -> subprocess.CompletedProcess[bytes]:
        """The plain agent at work, until its end; `code` is run in its place."""
        return subprocess.run(
            [sys.executable, *(code or ("-m", "tachograph.examples.agent"))],
            env=os.environ
            | {
                "EXAMPLE_FACTS": str(self.facts),
                "ANTHROPIC_BASE_URL": f"{url}/c/model",
                "ANTHROPIC_API_KEY": self.site.key,
                "TOOLS_URL": f"{url}/c/mcp/mcp",
                "DESK_URL": f"{url}/c/http",
                "NO_PROXY": "127.0.0.1",
            },
            cwd=folder,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

    @contextmanager
    def replaying(self, *options: str) -> Iterator[tuple[str, Callable[[], tuple[int, dict[str, Any], str]]]]:
        """`tacho replay` serving; its URL, and what it says when it is asked to stop."""
        command = [sys.executable, "-m", "tachograph.cli.main", "replay", self.session[:13], "--json"]
        more = ["--listen", "127.0.0.1:0", "--config", str(self.folder / "tacho.yaml"), *options]
        with subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            patience = threading.Timer(SECONDS, process.kill)
            patience.start()
            try:
                line = process.stdout.readline()
                assert line.startswith("ready "), process.stderr.read()

                def stop() -> tuple[int, dict[str, Any], str]:
                    process.send_signal(signal.SIGTERM)
                    out, err = process.communicate(timeout=SECONDS)
                    return process.returncode, json.loads(out.splitlines()[-1]), err

                yield json.loads(line.removeprefix("ready "))["replay"], stop
            finally:
                patience.cancel()
                process.kill()


@pytest.fixture(scope="module")
def recorded(
    stack: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Recorded]:
    """The agent's work through a gateway of its own, indexed; then its targets end."""
    folder = tmp_path_factory.mktemp("replay")
    told = folder / "facts.json"
    told.write_text(json.dumps(facts(plant(Random(7)))))
    servers = Supervisor(
        [_server(name, folder, told) for name in SERVERS], logs=folder / "servers", run=folder / "servers"
    )
    servers.start(now=time.monotonic())
    try:
        _until(servers.ready)
        urls = {name: servers.parts[name].ready()["url"] for name in SERVERS}
        connections = [
            {"name": name, "protocol": protocol, "upstream": urls[name]} for name, protocol in SERVERS.items()
        ]
        with open_site(folder, stack, {"connections": connections}) as site:
            run = Recorded(site, folder, told, "")
            done = run.agent(site.url.rstrip("/"), folder)
            assert done.returncode == 0, done.stderr.decode()
            servers.stop()
            site.eventually(lambda: _complete(site))
            run.session = _session(site)
            yield run
    finally:
        servers.stop()


def _server(name: str, folder: Path, told: Path) -> Part:
    module = f"tachograph.examples.{_MODULES[name]}"
    log = folder / "exchanges.jsonl"
    command = (sys.executable, "-m", module, "--port", "0", "--log", str(log))
    return Part(name, command, {"EXAMPLE_FACTS": str(told)})


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _complete(site: Any) -> bool:
    """Whether all that the targets were asked is there; what they did not hear of may be there too."""
    pairs = site.exchanges().values()
    log = [json.loads(line) for line in (site.folder / "exchanges.jsonl").read_text().splitlines()]
    heard = sum(not _waits(line) for line in log)
    lines = [pair[0]["http_request"] for pair in pairs]
    told = sum(not _waits({"method": line["http_method"], "path": line["url"]["path"]}) for line in lines)
    return told >= heard and all(len(pair) == 2 for pair in pairs)


def _session(site: Any) -> str:
    (session,) = {one["unmapped"]["tacho"]["session"] for pair in site.exchanges().values() for one in pair}
    return session


CHANGED = """
from dataclasses import replace
from tachograph.examples.agent import __main__ as agent

tasks = agent.tasks
agent.tasks = lambda told: tuple(
    replace(task, prompts=[text.replace("twice. The", "thrice. The") for text in task.prompts])
    for task in tasks(told)
)
agent.main()
"""


def test_the_agent_has_the_same_conversation_again(recorded: Recorded, tmp_path: Path) -> None:
    """No upstream runs; all that is recorded is asked again, answered, and none differs. It is on record."""
    with recorded.replaying("--speed", "fast") as (url, stop):
        done = recorded.agent(url, tmp_path)
        code, told, said = stop()
    assert done.returncode == 0, said + done.stderr.decode()
    assert [one for one in told["differing"] if not _waits(one)] == []
    assert [one for one in told["never_asked"] if not _waits(one)] == told["not_on_record"] == []
    assert told["served"] + len(told["never_asked"]) == told["recorded"]
    assert code == (0 if told["same"] else 1)
    how = "from OpenSearch, served at 127.0.0.1:0, speed fast"
    recorded.site.eventually(lambda: how in _accesses(recorded.site))


def _accesses(site: Any) -> list[str]:
    found = (one["unmapped"]["tacho"] for one in site.documents())
    return [tacho["access"]["how"] for tacho in found if tacho["type"] == "access"]


def _waits(one: dict[str, Any]) -> bool:
    """Whether this is an MCP client's GET, which it sends beside its work, or ends before it does."""
    return (one["method"], one["path"]) == ("GET", "/mcp")


def test_one_changed_prompt_is_reported_as_the_difference_that_it_is(
    recorded: Recorded, tmp_path: Path
) -> None:
    """The agent is refused there, in its model API's own words; the report shows the words that changed."""
    with recorded.replaying("--speed", "fast") as (url, stop):
        done = recorded.agent(url, tmp_path, "-c", CHANGED)
        code, told, said = stop()
    wanted = "body.messages[0].content[0].text: Order 1042 was charged [-twice-]{+thrice+}. The customer"
    assert done.returncode != 0
    assert wanted in done.stderr.decode()
    (one,) = (one for one in told["differing"] if not _waits(one))
    assert (one["connection"], one["path"], one["times"]) == ("model", "/v1/messages", 1)
    (line,) = one["differences"]
    assert line.startswith(wanted)
    assert wanted in said
    assert "\x1b[" not in said
    assert code == 1


def test_a_target_is_asked_what_was_asked_then(recorded: Recorded, tmp_path: Path) -> None:
    """What the operator gave values for is sent, and answered as then; the rest is skipped, and said so."""
    world, config = json.loads(recorded.facts.read_text()), recorded.site.config
    key = PseudonymKey.named(read_key(recorded.folder / config.keys.pseudonym_file))
    given = {
        key.marker(kind, world[name].encode()).decode(): world[name]
        for name in ("jwt", "api_token", "cookie", "set_cookie", "query_key")
        for kind in ("AUTHORIZATION", "TOKEN", "COOKIE", "API_KEY")
    }
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(given))
    servers = Supervisor([_server("http", tmp_path, recorded.facts)], logs=tmp_path, run=tmp_path)
    servers.start(now=time.monotonic())
    try:
        _until(servers.ready)
        url = servers.parts["http"].ready()["url"]
        command = [sys.executable, "-m", "tachograph.cli.main", "replay", recorded.session, "--json"]
        command += ["--against", url, "--connection", "http", "--only", "GET", "--values", str(values)]
        done = subprocess.run(
            [*command, "--config", str(recorded.folder / "tacho.yaml")],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        servers.stop()
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["differing"] == [], done.stderr
    assert told["sent"] == told["same"] == 5, told["skipped"]
    (left,) = told["skipped"]
    assert left["path"] == "/export"
    assert "no value was given for [" in left["why"]
    assert done.returncode == 1
    assert not [name for name in given.values() if name in done.stdout + done.stderr]
