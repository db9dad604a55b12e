"""Follows the configuration file: what it registers is in force within a second of its being changed.

One thread looks, compiles aside, has the snapshot written down on the control topic, and only then swaps:
whoever masks finds there what the records name. What cannot be used, or not be written down, changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from tachograph.ingress.errors import IngressError, RegistryAway, RegistryUnusable
from tachograph.ingress.faults import log_fault
from tachograph.ingress.keyfile import read_key
from tachograph.ingress.recording.kafka_settings import client_settings
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.own import check_policies_stay
from tachograph.ingress.registry.own_file import OwnFile
from tachograph.ingress.registry.snapshots import Snapshots
from tachograph.ingress.registry.standing import Standing
from tachograph.ingress.relay import Registered
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlKey
from tachograph.schemas.registry import Registry

__all__ = ["FollowedFile", "follow_file"]

LOOK_SECONDS = 0.2
"""Between two looks; a change is taken at the second look that finds it unchanged."""
PRUNE_WRITES = 10
"""How many snapshots are written between two looks at what the topic need not keep: one reads all of it."""
PRUNE_LOOKS = 10
"""How many looks must find nothing new before."""
STOP_SECONDS = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Next:
    registered: Registered
    registry: Registry


class FollowedFile(Standing):
    """What the file says is in force in this worker. Make it on the running loop; `stop` ends its thread."""

    def __init__(self, own: OwnFile, compiler: Compiler, snapshots: Snapshots, first: Registry) -> None:
        """`first` is in force already."""
        super().__init__()
        self._own = own
        self._compiler = compiler
        self._snapshots = snapshots
        self._in_force = first
        self._unwritten: bytes | None = first.canonical()
        """Records name the first from the start on, also while Kafka is away; so it is written first."""
        self._unpruned = PRUNE_WRITES - 1
        """Snapshots written since the topic was last pruned; the first one counts for all of before."""
        self._quiet = 0
        """Looks since anything was written."""
        self._next: _Next | None = None
        self._away = ""
        """Why nothing could be written down at the last attempt."""
        self._swap: Callable[[Registered], None] = lambda _: None
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tacho-registry-file", daemon=True)

    def serve(self, swap: Callable[[Registered], None]) -> None:
        self._swap = swap
        self._thread.start()

    def stop(self) -> None:
        """Returns within a few seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def turn(self) -> None:
        """One look, and what follows from it. Never raises."""
        try:
            self._look()
            self._put_in_force()
            self._prune()
        except (RegistryUnusable, RegistryAway) as error:
            self._say(error)
        except Exception as error:  # noqa: BLE001  a defect must not put half a registry in force
            log_fault("registry_failed", error)
            self._say(RegistryUnusable(f"a defect of the gateway ({type(error).__name__})"))

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.turn()

    def _look(self) -> None:
        registry = self._own.look()
        if registry is None:
            return
        self._next = None
        if registry.digest == self._in_force.digest:  # touched, or put back
            self.problem = ""
            return
        check_policies_stay(self._in_force, registry)
        self._next = _Next(self._compiler.compile(registry, registry.digest), registry)

    def _put_in_force(self) -> None:
        if self._unwritten is not None:
            self._write(self._unwritten)
            self._unwritten = None
        if self._next is None:
            return
        registered, registry = self._next.registered, self._next.registry
        self._write(registry.canonical())
        self._next = None
        self._in_force, self.problem = registry, ""
        self.version += 1
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all need to know
            self._loop.call_soon_threadsafe(self._swap, registered)
        _log.info("registry_in_force", version=self.version, digest=registry.digest)

    def _write(self, data: bytes) -> None:
        self._snapshots.write(data, stopping=self._stopping.is_set)
        self._unpruned += 1
        self._quiet = 0
        if self.problem == self._away:
            self.problem = ""
        self._away = ""

    def _prune(self) -> None:
        """Once it is quiet: the next change must not wait for it. What fails is tried after as many again."""
        self._quiet += 1
        if self._unpruned < PRUNE_WRITES or self._quiet < PRUNE_LOOKS:
            return
        self._unpruned = 0
        try:
            self._snapshots.prune(stopping=self._stopping.is_set)
        except RegistryAway as error:
            _log.warning("registry_not_pruned", reason=error.detail)

    def _say(self, error: IngressError) -> None:
        """Once for each problem: what cannot be written down is tried again at every look."""
        away = isinstance(error, RegistryAway)
        if not away:
            self._next = None
        if error.detail in {self.problem, self._away} or self._stopping.is_set():
            return
        if away:
            self._away = error.detail
            self.problem = self.problem or error.detail
            _log.warning("registry_not_written", reason=error.detail)
            return
        self.problem = error.detail
        self.refused += 1
        _log.error("registry_refused", reason=error.detail)


@contextlib.contextmanager
def follow_file(
    config: Configuration, compiler: Compiler, first: Registry, *, file: Path
) -> Iterator[FollowedFile]:
    """The configuration file, to the end of the block. Raises `KeysUnreadable`."""
    base = file.parent
    snapshots = Snapshots(
        client_settings(config.kafka, base=base),
        config.kafka.topics,
        ControlKey(read_key(base / config.keys.control_file)),
    )
    followed = FollowedFile(OwnFile(file, config), compiler, snapshots, first)
    try:
        yield followed
    finally:
        followed.stop()
