"""Several workers: forked, watched, started again when one dies, ended together. It serves no request itself.

Fork comes before any thread or event loop of ours exists, so a child begins clean.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

import structlog

from tachograph.ingress.errors import WorkersFailed

__all__ = ["MAX_QUICK_DEATHS", "Supervisor"]

QUICK_SECONDS = 10.0
"""A worker that ends sooner than this after its start has failed to start."""
MAX_QUICK_DEATHS = 5
RESTART_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class Supervisor:
    """`work(index, ready)` runs in each child until it gets SIGTERM, and calls `ready` when it serves."""

    def __init__(self, workers: int, work: Callable[[int, Callable[[], None]], None]) -> None:
        self._workers = workers
        self._work = work
        self._children: dict[int, tuple[int, float]] = {}
        self._stopping = False
        self._quick_deaths = 0

    def run(self, on_ready: Callable[[], None]) -> None:
        """Blocks until SIGTERM or SIGINT; raises `WorkersFailed` when workers cannot be kept alive."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            reading, writing = os.pipe()
            for index in range(self._workers):
                self._spawn(index, writing, reading)
            os.close(writing)
            if self._all_ready(reading):
                on_ready()
            self._watch()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _spawn(self, index: int, writing: int | None = None, reading: int | None = None) -> None:
        child = os.fork()
        if child:
            self._children[child] = (index, time.monotonic())
            return
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if reading is not None:
                os.close(reading)
            self._work(index, lambda: _tell(writing))
            status = 0
        except BaseException as error:  # noqa: BLE001 - a child never returns into the parent's code
            _log.error("worker_failed", worker=index, kind=type(error).__name__, detail=_detail(error))
        finally:
            os._exit(status)

    def _all_ready(self, reading: int) -> bool:
        ready = 0
        while ready < self._workers:
            told = os.read(reading, self._workers)
            if not told:
                break
            ready += len(told)
        os.close(reading)
        return ready == self._workers and not self._stopping

    def _watch(self) -> None:
        while self._children:
            child, status = os.wait()
            index, since = self._children.pop(child, (-1, 0.0))
            if index < 0 or self._stopping:
                continue
            _log.error("worker_died", worker=index, status=os.waitstatus_to_exitcode(status))
            self._quick_deaths = self._quick_deaths + 1 if time.monotonic() - since < QUICK_SECONDS else 0
            if self._quick_deaths >= MAX_QUICK_DEATHS:
                self._end_children()
                continue
            time.sleep(RESTART_SECONDS)
            if not self._stopping:
                self._spawn(index)
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            raise WorkersFailed(
                f"{MAX_QUICK_DEATHS} workers in a row ended within {QUICK_SECONDS:g} s; see the log"
            )

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._end_children()

    def _end_children(self) -> None:
        self._stopping = True
        for child in self._children:
            os.kill(child, signal.SIGTERM)


def _tell(writing: int | None) -> None:
    if writing is not None:
        os.write(writing, b".")
        os.close(writing)


def _detail(error: BaseException) -> str:
    return str(getattr(error, "detail", ""))
