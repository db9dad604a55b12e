"""Two calls in flight: each lane is a thread that settles one batch at a time and reports it.

The main thread hands out batches and collects what is done; it never waits for OpenSearch. Lanes are daemon
threads, so a call that hangs cannot keep a process from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tachograph.sinks.batch import Batch
from tachograph.sinks.errors import Stopping

__all__ = ["LANES", "Lanes"]

LANES = 2
"""Calls in flight: one is prepared and answered while the other is indexed."""


@dataclass(frozen=True, slots=True)
class _Done:
    batch: Batch
    fault: BaseException | None = None


class Lanes:
    """`LANES` threads around one `deliver` that returns when a batch is settled and raises when it is not."""

    def __init__(self, deliver: Callable[[Batch], None]) -> None:
        self._deliver = deliver
        self._work: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"lane-{number}", daemon=True) for number in range(LANES)
        ]
        self.busy = 0
        for thread in self._threads:
            thread.start()

    @property
    def free(self) -> bool:
        """Whether a batch would start at once."""
        return self.busy < LANES

    def submit(self, batch: Batch) -> None:
        """Start a batch; only when `free`."""
        self.busy += 1
        self._work.put(batch)

    def collect(self, seconds: float = 0.0) -> Iterator[Batch]:
        """Every batch that is settled by now, waiting so long for the first; raises what a lane raised."""
        wait = seconds
        while self.busy:
            try:
                done = self._done.get(timeout=wait) if wait > 0 else self._done.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            self.busy -= 1
            if done.fault is None:
                yield done.batch
            elif not isinstance(done.fault, Stopping):
                raise done.fault

    def close(self, seconds: float) -> None:
        """Let the threads end, waiting so long for each."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _run(self) -> None:
        while (batch := self._work.get()) is not None:
            try:
                self._deliver(batch)
            except BaseException as fault:  # noqa: BLE001  whatever it is, the main thread must hear of it
                self._done.put(_Done(batch, fault))
            else:
                self._done.put(_Done(batch))
