"""Which registry a worker serves by: chosen at the start, replaced while it runs, never by a worse one.

A release is compiled in a thread and swapped in between two requests; exchanges under way keep theirs. One
that cannot be used is refused, logged and counted, and what was in force stays in force.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from tachograph.ingress.errors import RegistryAway, RegistryUnusable
from tachograph.ingress.faults import log_fault
from tachograph.ingress.keyfile import read_key
from tachograph.ingress.recording.kafka_settings import client_settings
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.copy_file import CopyFile
from tachograph.ingress.registry.standing import Standing
from tachograph.ingress.registry.tail import Tail
from tachograph.ingress.relay import Registered
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook, ControlKey, Release
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.registry import Registry
from tachograph.schemas.topics import Topics

__all__ = ["InForce", "follow_topic"]

START_SECONDS = 30.0
"""How long the start waits for the topic where nothing else says what was in force."""
COPY_SECONDS = 5.0
"""How long it waits for a first word of Kafka's where there is a copy; then it goes by that."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Candidate:
    release: Release
    data: bytes


class InForce(Standing):
    """What the topic says is in force in this worker.

    For the event loop; `released` is for the tail's thread.
    """

    def __init__(self, compiler: Compiler, copy: CopyFile | None = None) -> None:
        super().__init__()
        self._swap: Callable[[Registered], None] | None = None
        self._compiler = compiler
        self._copy = copy
        self._loop = asyncio.get_running_loop()
        self._next: _Candidate | None = None
        self._task: asyncio.Task[None] | None = None

    async def first_of(self, candidates: Iterator[tuple[Release, bytes]]) -> Registered | None:
        """By the first that can be used; None where there is none at all. Raises `RegistryUnusable`."""
        for release, data in candidates:
            registered = await self._compiled(_Candidate(release, data))
            if registered is not None:
                return registered
        if self.problem:
            raise RegistryUnusable(self.problem)
        return None

    def serve(self, swap: Callable[[Registered], None]) -> None:
        """What came meanwhile too."""
        self._swap = swap
        self._wake()

    def released(self, release: Release, data: bytes) -> None:
        """Something else is in force from now on. Any thread may say so."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all need to know
            self._loop.call_soon_threadsafe(self._begin, _Candidate(release, data))

    def _begin(self, candidate: _Candidate) -> None:
        if candidate.release.version <= self.version:
            return
        self._next = candidate
        self._wake()

    def _wake(self) -> None:
        if self._swap is None or self._next is None:
            return
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while self._next is not None and self._swap is not None:
            candidate, self._next = self._next, None
            registered = await self._compiled(candidate)
            if registered is not None:
                self._swap(registered)
                _log.info("registry_in_force", version=self.version, digest=candidate.release.digest)

    async def _compiled(self, candidate: _Candidate) -> Registered | None:
        release = candidate.release
        try:
            registered = await asyncio.to_thread(self._compile, candidate)
        except (RegistryUnusable, MalformedRecord) as error:
            self._refuse(release, str(error))
            return None
        except Exception as error:  # noqa: BLE001  a defect must not put half a registry in force
            log_fault("registry_failed", error)
            self._refuse(release, f"a defect of the gateway ({type(error).__name__})")
            return None
        self.version, self.problem = release.version, ""
        return registered

    def _compile(self, candidate: _Candidate) -> Registered:
        registered = self._compiler.compile(Registry.parse(candidate.data), candidate.release.digest)
        if self._copy is not None:
            self._copy.write(candidate.release, candidate.data)
        return registered

    def _refuse(self, release: Release, reason: str) -> None:
        self.refused += 1
        self.problem = f"version {release.version} is refused: {reason}"
        _log.error("registry_refused", version=release.version, digest=release.digest, reason=reason)


@contextlib.asynccontextmanager
async def follow_topic(
    config: Configuration, compiler: Compiler, own: Callable[[], Registered], *, base: Path
) -> AsyncIterator[tuple[InForce, Registered]]:
    """What the control topic says, from now to the end of the block; `own` until its first release.

    Raises `RegistryAway` where neither Kafka nor a copy says what is in force, and `RegistryUnusable`.
    """
    key = ControlKey(read_key(base / config.keys.control_file))
    copy, book = CopyFile(base / config.registry.copy_file, key), ControlBook(key)
    copy.read_into(book)
    kept = tuple(_candidates(book))
    in_force = InForce(compiler, copy)
    tail = Tail(
        in_force.released,
        book,
        topics=config.kafka.topics,
        settings=client_settings(config.kafka, base=base),
    )
    tail.start()
    try:
        read = await asyncio.to_thread(_has_read, tail, known=bool(kept))
        if not read and not kept:
            raise RegistryAway(f"{tail.problem}, and there is no copy of what was in force last")
        if read:
            _check_nothing_gone(book, config.kafka.topics, known=bool(kept), cut=tail.cut)
        found = [one for one in _candidates(book) if one not in kept] if read else []
        registered = await in_force.first_of(iter((*found, *kept)))
        if registered is None:
            registered = await asyncio.to_thread(own)
        yield in_force, registered
    finally:
        await asyncio.to_thread(tail.stop)


def _has_read(tail: Tail, *, known: bool) -> bool:
    """Whether both topics are read. A slow Kafka is waited for: the copy may be older than what it has."""
    if known and not tail.heard.wait(COPY_SECONDS):
        return False
    return tail.caught_up.wait(START_SECONDS)


def _check_nothing_gone(book: ControlBook, topics: Topics, *, known: bool, cut: bool) -> None:
    """Raises `RegistryAway` where something newer may have been in force than what the topics still say.

    A copy that is `known` says which version was reached, so it does not matter then what came before.
    """
    if not known and (cut or not book.whole):
        raise RegistryAway(
            f"releases were deleted from {topics.releases}: what is left may be older than what was in force."
            " Give this ingress the `registry.copy` of one that knows, or make the topic anew and apply"
        )
    if (release := book.lost) is not None:
        raise RegistryAway(
            f"version {release.version} is in force, and its snapshot is gone from {topics.control}:"
            " `tacho apply` it once more"
        )


def _candidates(book: ControlBook) -> Iterator[tuple[Release, bytes]]:
    release = book.current
    data = book.snapshot(release.digest) if release is not None else None
    if release is not None and data is not None:
        yield release, data
