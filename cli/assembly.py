"""Everything up in order, everything down in reverse: engines, then what they hold, then our parts.

Whose engines: with `stack.managed: true` Kafka and OpenSearch are started at the loopback ports that the
configuration names; without it (or with `--external`) they are the operator's, and none is started.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tachograph.cli import run_state
from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.settings import Settings
from tachograph.cli.stack import progress as engine_progress
from tachograph.cli.stack.config import StackConfig
from tachograph.cli.stack.engines import Stack
from tachograph.cli.stack.errors import EngineDied
from tachograph.cli.stack.ports import LOOPBACK
from tachograph.cli.stack.processes import identify
from tachograph.cli.supervisor import Part, Supervisor

__all__ = ["PARTS", "READY_SECONDS", "Assembly", "part", "stack_config"]

PARTS = ("ingress", "process", "sink", "seal")
"""In the order in which they start, and in which they stop: the producer before the consumers."""
CANARY = "canary"
"""Beside them, where the configuration does not switch it off."""
CONSOLE = "console"
"""Beside them, where the configuration has a `console` part."""
READY_SECONDS = 180.0
_LOOK = 0.1


def part(name: str, file: Path) -> Part:
    """`tacho NAME --config FILE` as a child of ours."""
    return Part(name, (sys.executable, "-m", "tachograph.cli.main", name, "--config", str(file)))


def stack_config(settings: Settings) -> StackConfig:
    """The engines that the configuration asks for; raises WrongUse when it names any but loopback ones."""
    configuration = settings.configuration
    kafka = urlsplit(f"//{configuration.kafka.bootstrap_servers}")
    search = urlsplit(configuration.opensearch.url)
    if (kafka.hostname, search.hostname, search.scheme) != (LOOPBACK, LOOPBACK, "http"):
        raise WrongUse(
            f"{settings.file}: with stack.managed, expected kafka.bootstrap_servers {LOOPBACK}:PORT and "
            f"opensearch.url http://{LOOPBACK}:PORT, where `tacho up` runs them; for your own set it to false"
        )
    return StackConfig(
        home=settings.home,
        kafka_port=kafka.port or 9092,
        controller_port=0,
        opensearch_port=search.port or 9200,
        transport_port=0,
        kafka_heap_mb=configuration.stack.kafka_heap_mb,
        opensearch_heap_mb=configuration.stack.opensearch_heap_mb,
    )


class Assembly:
    """One run of everything in one home folder."""

    def __init__(self, settings: Settings, *, managed: bool, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._stack = Stack(stack_config(settings)) if managed else None
        home = settings.home
        configuration = settings.configuration
        beside = (
            *((CANARY,) if configuration.canary.enabled else ()),
            *((CONSOLE,) if configuration.console is not None else ()),
        )
        parts = [part(name, settings.file) for name in (*PARTS, *beside)]
        self.supervisor = Supervisor(parts, logs=home / "logs", run=home / "run")
        self.urls: dict[str, Any] = {}
        self._recorded = False

    def start(self) -> dict[str, Any]:
        """Bring everything up and wait until it serves; the URLs. `stop` is to follow, even on an error."""
        home = self._settings.home
        running = run_state.read(home)
        if running is not None and running.alive:
            raise Refused(f"tacho already runs in {home} (pid {running.parent.pid}): use it, or `tacho down`")
        if self._stack is not None:
            self._stack.start(engine_progress.for_stream(sys.stderr))
        self._provision()
        self.supervisor.start(now=time.monotonic())
        self._await()
        self.urls = _urls(self._settings, self.supervisor)
        self._record()
        return self.urls

    def watch(self) -> None:
        """Restart parts that died and say so; raises EngineDied when an engine ended."""
        if self._stack is not None and (death := self._stack.poll()):
            raise EngineDied(death.engine, death.ending, death.log, death.last_lines)
        events = self.supervisor.tick(now=time.monotonic())
        for event in events:
            self._say(event)
        if events:
            self._record()

    def stop(self, names: Sequence[str] | None = None) -> None:
        """End the parts in order, then the engines."""
        for name in self.supervisor.stop(names):
            self._say(
                f"{name} did not end in time and was killed; what it had not finished comes at the next start"
            )
        if self._recorded:  # else the state is another run's
            run_state.clear(self._settings.home)
        if self._stack is not None:
            self._stack.stop()

    def _provision(self) -> None:
        from tachograph.sinks.provision import provision

        provision(self._settings.configuration, base=self._settings.base, progress=self._say)

    def _await(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.supervisor.ready():
            if time.monotonic() > deadline:
                late = [name for name, running in self.supervisor.parts.items() if running.ready() is None]
                logs = ", ".join(str(self.supervisor.parts[name].log) for name in late)
                raise PartDown(f"{', '.join(late)} did not serve within {READY_SECONDS:.0f} s: read {logs}")
            time.sleep(_LOOK)

    def _record(self) -> None:
        parent = identify(os.getpid())
        parts = tuple(
            run_state.PartState(name, running.identity, str(running.log))
            for name, running in self.supervisor.parts.items()
            if running.identity is not None
        )
        if parent is not None:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            self._recorded = True
            run_state.write(self._settings.home, run_state.RunState(parent, started, self.urls, parts))


def _urls(settings: Settings, supervisor: Supervisor) -> dict[str, Any]:
    configuration = settings.configuration
    said = supervisor.parts["ingress"].ready() or {}
    listen = configuration.ingress.listen
    ingress = str(said.get("ingress") or f"http://{listen.host}:{listen.port}").rstrip("/")
    pages = supervisor.parts[CONSOLE].ready() if CONSOLE in supervisor.parts else None
    return {
        "ingress": ingress,
        "console": None if pages is None else pages.get("console"),
        "connections": {item.name: f"{ingress}/c/{item.name}" for item in configuration.connections},
        "kafka": configuration.kafka.bootstrap_servers,
        "opensearch": configuration.opensearch.url,
        "dashboards": configuration.opensearch.dashboards_url,
        "config": str(settings.file),
        "logs": str(settings.home / "logs"),
    }
