"""The stack: both engines up in one call, down in another, and the truth about them in between."""

import fcntl
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tachograph.cli.stack import fetch, kafka, lock, opensearch, places, ports, preflight, state
from tachograph.cli.stack.child import Child, Command, Death, last_lines
from tachograph.cli.stack.config import Endpoints, Ports, StackConfig
from tachograph.cli.stack.errors import AlreadyRunning, EngineDied, EngineNotReady
from tachograph.cli.stack.health import KafkaHealth, OpenSearchHealth
from tachograph.cli.stack.processes import identify
from tachograph.cli.stack.progress import Progress
from tachograph.cli.stack.repositories import repositories
from tachograph.cli.stack.user import engine_user
from tachograph.cli.stack.versions import KAFKA, OPENSEARCH

__all__ = ["Death", "Endpoints", "Stack", "StackConfig"]

FORMAT_SECONDS: Final = 60.0
KAFKA_READY_SECONDS: Final = 90.0
OPENSEARCH_READY_SECONDS: Final = (
    240.0  # far above the idle machine's: continuous integration shares its cores
)
STOP_SECONDS: Final = 20.0  # an engine, before SIGKILL
_LOOK: Final = 0.1  # s between two health questions


class Stack:
    """Real Kafka and real OpenSearch as children of this process; they never outlive it."""

    def __init__(self, config: StackConfig) -> None:
        self._config = config
        self._children: list[Child] = []
        self._engines: list[state.Engine] = []
        self._held: IO[bytes] | None = None
        self._spawner: ThreadPoolExecutor | None = None
        self._user = engine_user(os.geteuid())

    def start(self, progress: Progress) -> Endpoints:
        """Start what is asked for, wait until it serves; after a StackError nothing is left running."""
        self._hold_home()
        try:
            chosen = self._choose_ports()
            self._check_machine(chosen)
            return self._start(self._files(progress), chosen, progress)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the engines, each within STOP_SECONDS, then by SIGKILL; does nothing when none runs."""
        for child in self._children:
            child.ask_to_end()
        for child in self._children:
            child.end(STOP_SECONDS)
        self._children.clear()
        self._engines.clear()
        if self._spawner is not None:
            self._spawner.shutdown()
            self._spawner = None
        if self._held is not None:
            state.clear(self._config.home)
            self._held.close()
            self._held = None

    def poll(self) -> Death | None:
        """The first engine that ended unasked, None while all run."""
        return next((death for child in self._children if (death := child.death())), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hold_home(self) -> None:
        run = self._config.home / "run"
        with places.usable(self._config.home):
            run.mkdir(parents=True, exist_ok=True)
            held = (run / "stack.lock").open("wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            recorded = state.read(self._config.home)
            raise AlreadyRunning(self._config.home, recorded.parent.pid if recorded else None) from None
        self._held = held

    def _choose_ports(self) -> Ports:
        config = self._config
        wanted = (config.kafka_port, config.controller_port, config.opensearch_port, config.transport_port)
        taken = {port for port in wanted if port}
        return Ports(*(ports.choose(port, taken) for port in wanted))

    def _check_machine(self, chosen: Ports) -> None:
        config = self._config
        heaps = []
        if config.with_kafka:
            preflight.check_port("kafka", chosen.kafka, "--kafka-port")
            preflight.check_port("kafka's controller", chosen.controller, "--controller-port")
            heaps.append(config.kafka_heap_mb)
        if config.with_opensearch:
            preflight.check_port("opensearch", chosen.opensearch, "--opensearch-port")
            preflight.check_port("opensearch's transport", chosen.transport, "--transport-port")
            heaps.append(config.opensearch_heap_mb)
        preflight.check_memory(heaps)
        preflight.check_disk(config.home, preflight.DATA_MB, "TACHO_HOME")

    def _files(self, progress: Progress) -> lock.Lock:
        wanted = {"kafka": self._config.with_kafka, "opensearch": self._config.with_opensearch}
        files = {folder: jars for folder, jars in lock.read().items() if wanted.get(folder.split("/")[0])}
        jars = [jar for group in files.values() for jar in group]
        needed_mb = fetch.missing_bytes(jars, self._config.cache) // preflight.MB
        preflight.check_disk(self._config.cache, needed_mb, "TACHO_CACHE")
        fetch.ensure(jars, self._config.cache, repositories, progress)
        return files

    def _start(self, files: lock.Lock, chosen: Ports, progress: Progress) -> Endpoints:
        began = time.monotonic()
        endpoints = self._endpoints(chosen)
        with places.usable(self._config.home):
            if self._config.with_opensearch:  # the slower one begins first
                progress.say(f"starting opensearch {OPENSEARCH}")
                self._start_opensearch(files, chosen, endpoints)
            if self._config.with_kafka:
                progress.say(f"starting kafka {KAFKA}")
                self._start_kafka(files, chosen, endpoints)
        if self._config.with_kafka:
            self._wait("kafka", KafkaHealth(chosen.kafka), KAFKA_READY_SECONDS)
            progress.say(f"kafka serves at {endpoints.bootstrap_servers} ({time.monotonic() - began:.1f} s)")
        if self._config.with_opensearch:
            self._wait("opensearch", OpenSearchHealth(chosen.opensearch), OPENSEARCH_READY_SECONDS)
            progress.say(
                f"opensearch serves at {endpoints.opensearch_url} ({time.monotonic() - began:.1f} s)"
            )
        return endpoints

    def _start_opensearch(self, files: lock.Lock, chosen: Ports, endpoints: Endpoints) -> None:
        where = places.prepare("opensearch", self._config.home, self._user)
        jars = self._lay_out(files, "opensearch", where.run)
        opensearch.write_config(where, chosen.opensearch, chosen.transport)
        places.hand_out(where, self._user)
        command = opensearch.run_command(where, jars, self._config.opensearch_heap_mb)
        self._record(self._spawn(command), chosen.opensearch, endpoints)

    def _start_kafka(self, files: lock.Lock, chosen: Ports, endpoints: Endpoints) -> None:
        where = places.prepare("kafka", self._config.home, self._user)
        jars = self._lay_out(files, "kafka", where.run)
        kafka.write_config(where, chosen.kafka, chosen.controller)
        places.hand_out(where, self._user)
        if not kafka.is_formatted(where):
            self._run_to_end(kafka.format_command(where, jars, kafka.cluster_id(os.urandom(16))))
        command = kafka.run_command(where, jars, self._config.kafka_heap_mb)
        self._record(self._spawn(command), chosen.kafka, endpoints)

    def _lay_out(self, files: lock.Lock, engine: str, run: Path) -> list[Path]:
        laid = {}
        for folder, jars in files.items():
            name, _, below = folder.partition("/")
            if name == engine:
                laid[below] = places.lay_out((self._config.cache / jar.path for jar in jars), run / below)
        return laid["lib"]

    def _spawn(self, command: Command) -> Child:
        # The kernel ties a child's life to the thread that started it, so one thread that lives as long as
        # the stack starts all of them, whichever thread called us.
        if self._spawner is None:
            self._spawner = ThreadPoolExecutor(1, "tacho-stack")
        child = self._spawner.submit(Child, command, self._user).result()
        self._children.append(child)
        return child

    def _run_to_end(self, command: Command) -> None:
        child = self._spawn(command)
        if not child.ends_within(FORMAT_SECONDS):
            raise EngineNotReady(f"{command.engine}'s format", FORMAT_SECONDS, *last_lines(command.console))
        death = child.death()
        if death and death.exit_code != 0:
            raise EngineDied(f"{death.engine}'s format", death.ending, death.log, death.last_lines)
        self._children.remove(child)

    def _record(self, child: Child, port: int, endpoints: Endpoints) -> None:
        parent = identify(os.getpid())
        if child.id is None or parent is None:
            return  # it ended already; the wait for its health tells
        command = child.command
        self._engines.append(state.Engine(command.engine, child.id, port, str(command.log)))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        servers, url = endpoints.bootstrap_servers, endpoints.opensearch_url
        state.write(self._config.home, state.RunState(now, parent, tuple(self._engines), servers, url))

    def _wait(self, engine: str, serves: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not serves():
            if death := self.poll():
                raise EngineDied(death.engine, death.ending, death.log, death.last_lines)
            if time.monotonic() > deadline:
                command = next(child.command for child in self._children if child.command.engine == engine)
                raise EngineNotReady(engine, seconds, *last_lines(command.log, command.console))
            time.sleep(_LOOK)

    def _endpoints(self, chosen: Ports) -> Endpoints:
        return Endpoints(
            f"{ports.LOOPBACK}:{chosen.kafka}" if self._config.with_kafka else "",
            f"http://{ports.LOOPBACK}:{chosen.opensearch}" if self._config.with_opensearch else "",
        )
