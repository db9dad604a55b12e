"""Server-sent events: text in, events out (WHATWG HTML, section 9.2.6).

Lines end with CR LF, LF or CR; a blank line dispatches; a last event without one is incomplete, and we
give it all the same, marked, because a stream that was cut short is evidence too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ServerSentEvent", "parse_sse"]

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; `event` is `message` where the stream names none."""

    event: str
    data: str
    complete: bool = True


def parse_sse(text: str) -> Iterator[ServerSentEvent]:
    """Every event that carries data, in order; comments, ids and retry times are passed over."""
    name, data = "", list[str]()
    for line in _lines(text.removeprefix(_BOM)):
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            continue
        if data:
            yield ServerSentEvent(name or "message", "\n".join(data))
        name, data = "", []
    if data:
        yield ServerSentEvent(name or "message", "\n".join(data), complete=False)


def _lines(text: str) -> Iterator[str]:
    # str.splitlines would also cut at U+2028 and friends, which are data here.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    yield from lines[:-1] if lines[-1] == "" else lines
