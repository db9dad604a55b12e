"""What the log says, and the one way to add to it: a word counts once it was read back, and as the book says.

All of it is for the event loop but what `Reader` names, which the tail's thread calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tachograph.approvals.errors import LogFull
from tachograph.approvals.tail import Entry
from tachograph.console.errors import Away
from tachograph.schemas.approval import ApprovalEvent, Decided, Requested, Revoked
from tachograph.schemas.approval_book import ApprovalBook, Void

__all__ = ["FRESH_SECONDS", "Clock", "Desk"]

FRESH_SECONDS = 5.0
"""A view of the log that is older than this is called old, and nothing is decided on it."""
FORGET_SECONDS = 600.0
HISTORY_MS = 7 * 86_400_000
"""How far back decided approvals are shown: well beyond the book's `MEMORY_MS`."""
Key = tuple[str, object, object]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as an argument."""

    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic


class Desk:
    """The book of one console, and who waits for its own word to land in it."""

    def __init__(
        self,
        *,
        write: Callable[[ApprovalEvent], None],
        log_timeout: float,
        problem: Callable[[], str] = lambda: "",
        clock: Clock = Clock(),
    ) -> None:
        self.book = ApprovalBook()
        self.version = 0
        """Changes whenever something that is shown may have changed."""
        self.clock = clock
        self.on_asked: Callable[[Requested], None] = lambda _: None
        """Told each new request as it lands, once the log was read to its end for the first time."""
        self._write = write
        self._log_timeout = log_timeout
        self._problem = problem
        self._loop = asyncio.get_running_loop()
        self._landing: dict[Key, list[asyncio.Future[Void | None]]] = {}
        self._changed = asyncio.Event()
        self._fresh_at: float | None = None
        self._forget_at = 0.0

    # -- looking -----------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """The log's time as well as we know it: its last event's, or our clock if that is later."""
        return max(self.book.now_ms, self.clock.wall_ms())

    @property
    def age(self) -> float | None:
        """Seconds since the view was known to be whole; None before the first time."""
        return None if self._fresh_at is None else self.clock.monotonic() - self._fresh_at

    @property
    def problem(self) -> str:
        """Why what is shown may be old; empty while it is not."""
        if self.age is not None and self.age <= FRESH_SECONDS:
            return ""
        return self._problem() or "the approvals topic has not answered for a while"

    async def changed(self, version: int, *, seconds: float) -> int:
        """The version once it is another than `version`, or after so many seconds."""
        if self.version == version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        return self.version

    def wake(self) -> None:
        """Let go of whoever waits for a change."""
        self._turn()

    # -- adding ------------------------------------------------------------------------------------

    async def append(self, event: Decided | Revoked) -> Void | None:
        """Write it and return once it was read back: None if it counts, else why it does not.

        Raises `Away` if it cannot be written, or was not seen in time: then nobody knows, and the page says.
        """
        if self.problem:
            raise Away(f"Nothing was recorded: {self.problem}. Try again in a moment.")
        future: asyncio.Future[Void | None] = self._loop.create_future()
        waiting = self._landing.setdefault(_key(event), [])
        waiting.append(future)
        try:
            self._write(event)
            return await asyncio.wait_for(future, self._log_timeout)
        except LogFull as full:
            raise Away(f"Nothing was recorded: {full}. Try again in a moment.") from None
        except TimeoutError:
            raise Away(
                "Your word was sent but Kafka has not confirmed it yet. Look again in a moment: "
                "this page says whether it counts."
            ) from None
        finally:
            waiting.remove(future)
            if not waiting:
                self._landing.pop(_key(event), None)

    # -- for the tail (`Reader`), from its thread --------------------------------------------------

    def begun(self) -> None:
        self._on_loop(self._begin)

    def read(self, entries: Sequence[Entry]) -> None:
        self._on_loop(self._fold, tuple(entries))

    def fresh(self, asked: float) -> None:
        self._on_loop(self._refresh, asked)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the tail
            self._loop.call_soon_threadsafe(call, *arguments)

    def _begin(self) -> None:
        self.book, self._fresh_at = ApprovalBook(), None
        self._turn()

    def _refresh(self, asked: float) -> None:
        was = bool(self.problem)
        self._fresh_at = asked
        if was:
            self._turn()
        if self.clock.monotonic() >= self._forget_at:
            self._forget_at = self.clock.monotonic() + FORGET_SECONDS
            self.book.forget(self.book.now_ms - HISTORY_MS)

    def _fold(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            void = self.book.add(entry.event, entry.log_ms)
            if isinstance(entry.event, Requested) and void is None:
                self._tell(entry.event)
            if isinstance(entry.event, Decided | Revoked):
                for future in self._landing.get(_key(entry.event), ()):
                    if not future.done():
                        future.set_result(void)
        self._turn()

    def _tell(self, asked: Requested) -> None:
        found = self.book.find(asked.approval)
        joined = found is not None and found.id != asked.approval
        if self._fresh_at is not None and not joined:
            self.on_asked(asked)

    def _turn(self) -> None:
        self.version += 1
        before, self._changed = self._changed, asyncio.Event()
        before.set()


def _key(event: Decided | Revoked) -> Key:
    """What tells our own word from all others on the log."""
    if isinstance(event, Decided):
        return "decided", event.decision, event.reviewer.principal.id
    return "revoked", event.approval, (event.at, event.reviewer.principal.id)
