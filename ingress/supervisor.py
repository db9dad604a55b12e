"""Several workers: forked, watched, started again when one dies, ended together. It serves no request itself.

Fork comes before any thread or event loop of ours exists, so a child begins clean. A child lives no longer
than its supervisor: it holds one end of a pipe and stops when the other end is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import structlog

from tachograph.ingress.errors import WorkersFailed

__all__ = ["MAX_QUICK_DEATHS", "Place", "Supervisor"]

QUICK_SECONDS = 10.0
"""A worker that ends sooner than this after its start has failed to start."""
MAX_QUICK_DEATHS = 5
RESTART_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's number, whom it tells that it serves, and the pipe that ends with its supervisor."""

    index: int
    ready: Callable[[], None]
    life: int | None = None


class Supervisor:
    """`work` runs in each child until it gets SIGTERM or `Place.life` becomes readable."""

    def __init__(self, workers: int, work: Callable[[Place], None]) -> None:
        self._workers = workers
        self._work = work
        self._children: dict[int, tuple[int, float]] = {}
        self._stopping = False
        self._quick_deaths = 0
        self._life, self._held = os.pipe()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Blocks until SIGTERM or SIGINT; raises `WorkersFailed` when workers cannot be kept alive."""
        before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        try:
            reading, writing = os.pipe()
            for index in range(self._workers):
                self._spawn(index, writing, inherited=(reading,))
            os.close(writing)
            if self._all_ready(reading):
                on_ready()
            self._watch()
        finally:
            os.close(self._life)
            os.close(self._held)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _spawn(self, index: int, writing: int | None = None, *, inherited: tuple[int, ...] = ()) -> None:
        # A signal between the look at `_stopping` and the entry in `_children` would miss this child.
        with _no_signals():
            if self._stopping:
                return
            child = os.fork()
            if not child:
                self._be_worker(Place(index, lambda: _tell(writing), self._life), (*inherited, self._held))
            self._children[child] = (index, time.monotonic())

    def _be_worker(self, place: Place, inherited: tuple[int, ...]) -> None:
        status = 1
        try:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in inherited:
                os.close(descriptor)
            self._work(place)
            status = 0
        except BaseException as error:  # noqa: BLE001 - a child never returns into the parent's code
            detail = str(getattr(error, "detail", ""))
            _log.error("worker_failed", worker=place.index, kind=type(error).__name__, detail=detail)
        finally:
            os._exit(status)

    def _all_ready(self, reading: int) -> bool:
        ready = 0
        while ready < self._workers and (told := os.read(reading, self._workers)):
            ready += len(told)
        os.close(reading)
        return ready == self._workers and not self._stopping

    def _watch(self) -> None:
        while self._children:
            index, since, status = self._ended()
            if index >= 0 and not self._stopping:
                _log.error("worker_died", worker=index, status=os.waitstatus_to_exitcode(status))
                self._replace(index, lived=time.monotonic() - since)
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            detail = f"{MAX_QUICK_DEATHS} workers in a row ended within {QUICK_SECONDS:g} s; see the log"
            raise WorkersFailed(detail)

    def _ended(self) -> tuple[int, float, int]:
        """The number, start and status of the next worker that ends; -1 for a child that is none of ours."""
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        # A signal between reaping and forgetting it would be passed on to a process that is not there.
        with _no_signals():
            child, status = os.wait()
            return *self._children.pop(child, (-1, 0.0)), status

    def _replace(self, index: int, *, lived: float) -> None:
        self._quick_deaths = self._quick_deaths + 1 if lived < QUICK_SECONDS else 0
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            self._end_children()
            return
        time.sleep(RESTART_SECONDS)
        self._spawn(index)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._end_children()

    def _end_children(self) -> None:
        self._stopping = True
        for child in self._children:
            os.kill(child, signal.SIGTERM)


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """What comes in the block is heeded at its end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _tell(writing: int | None) -> None:
    if writing is not None:
        os.write(writing, b".")
        os.close(writing)
