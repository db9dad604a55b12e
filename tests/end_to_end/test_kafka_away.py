"""Kafka dies in the middle and comes back: agents notice nothing, no record is lost, nothing comes twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tachograph.cli.home import make_key_files
from tachograph.cli.stack import state
from tachograph.cli.stack.engines import Stack, StackConfig
from tachograph.cli.stack.ports import choose
from tachograph.cli.stack.progress import Plain

pytestmark = pytest.mark.engines

SECONDS = 180.0
_PROCESS = """
import sys
from tachograph.cli.main import main
from tachograph.processors import worker
worker.START_S = 2.0
sys.argv = ["tacho", "process", "--config", sys.argv[1]]
main()
"""


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
        self.stop()

    def stop(self) -> None:
        self._stack.stop()


@pytest.fixture
def broker(home: Path) -> Iterator[Broker]:
    """Kafka in a folder of its own."""
    made = Broker(home)
    yield made
    made.stop()


def exchange(site: Any, number: int) -> None:
    answer = site.ask(f"/c/api/item-{number}", body=b'{"n":1}')
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def test_agents_go_on_and_nothing_is_lost(stack: Any, broker: Broker, open_site: Any, tmp_path: Path) -> None:
    """Requests before, during and after the outage are answered; each ends as two documents, never more."""
    engines = SimpleNamespace(bootstrap_servers=broker.servers, opensearch_url=stack.opensearch_url)
    with open_site(tmp_path / "site", engines) as site:
        for number in range(10):
            exchange(site, number)
        complete(site, 5)
        broker.kill()
        for number in range(10, 30):
            exchange(site, number)
        broker.start()
        for number in range(30, 35):
            exchange(site, number)
        complete(site, 35)
        assert all(len(pair) == 2 for pair in site.exchanges().values())


def complete(site: Any, count: int) -> None:
    """Wait until every exchange has its two documents; parts that ended meanwhile start again."""
    deadline = time.monotonic() + SECONDS
    while sum(len(pair) >= 2 for pair in site.exchanges().values()) < count:
        site.supervisor.tick(now=time.monotonic())
        assert time.monotonic() < deadline, f"{len(site.exchanges())} of {count} exchanges came"
        time.sleep(0.5)


def test_kafka_down_at_start_is_exit_3(tmp_path: Path) -> None:
    """The masker says which broker it waited for, and ends within a bound."""
    servers = f"127.0.0.1:{choose(0, set())}"
    make_key_files(tmp_path / "keys", randomness=os.urandom)
    file = tmp_path / "tacho.yaml"
    file.write_text(f"kafka: {{bootstrap_servers: '{servers}'}}\n")
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS, str(file)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert servers in done.stderr
    assert "Traceback" not in done.stderr
