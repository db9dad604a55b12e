"""The filter of one answer: bytes in, cut anywhere; out as they came, but for tool calls that are refused.

Like h11, it is fed and asked: `next` gives bytes that may go on, a tool call that must be judged first
(`answer` says how that came out), or None where more must come. What cannot be read without doubt ends the
answer with an error in its own protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.errors import TooLong, Unreadable
from tachograph.ingress.llm.sse import MAX_KEPT_BYTES, Event, Events

__all__ = ["CUT_SHORT", "Dialect", "Filter", "StreamFilter"]

CUT_SHORT = "expected a tool call to be complete when the answer ends"


class Dialect(Protocol):
    """How one protocol's stream is read."""

    ping: bytes
    """What keeps a client alive that waits; it may come between any two events."""

    def take(self, event: Event) -> Sequence[ToolCall] | None:
        """None: it is to be kept back. Else all that is kept may go once these calls are judged.

        Raises `Unreadable`.
        """
        ...

    def release(self, kept: Sequence[Event], refusals: dict[int, str]) -> bytes:
        """What goes on of what was kept; `refusals` are by the place of the call that `take` gave."""
        ...

    def error(self, reason: str, kind: str) -> bytes:
        """The event that ends a stream; `kind` is Anthropic's name of it."""
        ...


class Filter(Protocol):
    """What both a stream and a whole body are filtered by."""

    ping: bytes
    """Empty where there is nothing to say before the answer is complete."""
    broken: str | None
    """Why nothing more goes on, once it is so."""

    @property
    def kept(self) -> int:
        """Bytes that are kept back."""
        ...

    def feed(self, data: bytes, *, end: bool) -> None: ...
    def next(self) -> bytes | ToolCall | None: ...
    def answer(self, refusal: str | None) -> None: ...
    def fail(self, reason: str, kind: str = "api_error") -> bytes: ...


class StreamFilter:
    """A stream of server-sent events."""

    def __init__(self, dialect: Dialect) -> None:
        self.ping = dialect.ping
        self.broken: str | None = None
        self._dialect = dialect
        self._events = Events()
        self._end = False
        self._kept: list[Event] = []
        self._size = 0
        self._calls: Sequence[ToolCall] = ()
        self._asked = 0
        self._refusals: dict[int, str] = {}

    @property
    def kept(self) -> int:
        return self._size + len(self._events)

    def feed(self, data: bytes, *, end: bool) -> None:
        """The next bytes from the target; with `end` the last."""
        if self.broken is None:
            self._events.feed(data)
        self._end = end

    def next(self) -> bytes | ToolCall | None:
        """What may go on, what must be judged first, or None."""
        if self.broken is not None:
            return None
        if self._calls:
            return self._calls[self._asked] if self._asked < len(self._calls) else self._release()
        gone: list[bytes] = []
        try:
            return self._read(gone)
        except Unreadable as error:
            return b"".join(gone) + self.fail(f"the gateway cannot read this answer: {error}")

    def answer(self, refusal: str | None) -> None:
        """How the call that `next` gave was judged: None releases it, a text takes its place."""
        if refusal is not None:
            self._refusals[self._asked] = refusal
        self._asked += 1

    def fail(self, reason: str, kind: str = "api_error") -> bytes:
        """End the answer here: the error that the client reads. Nothing comes after it."""
        self.broken = reason
        self._kept, self._size, self._calls, self._events = [], 0, (), Events()
        return self._dialect.error(reason, kind)

    def _read(self, gone: list[bytes]) -> bytes | ToolCall | None:
        while (raw := self._events.next(end=self._end)) is not None:
            event = self._events.event(raw)
            self._kept.append(event)
            self._size += len(raw)
            calls = self._dialect.take(event)
            if calls:
                self._calls, self._asked = calls, 0
                return b"".join(gone) or self.next()
            if calls is not None:
                gone.append(self._release())
            elif self._size > MAX_KEPT_BYTES:
                raise TooLong(f"expected tool calls of at most {MAX_KEPT_BYTES} bytes")
        if self._end and self._kept:
            raise Unreadable(CUT_SHORT)
        return b"".join(gone) or None

    def _release(self) -> bytes:
        kept, refusals = self._kept, self._refusals
        self._kept, self._size, self._calls, self._refusals = [], 0, (), {}
        return self._dialect.release(kept, refusals)
