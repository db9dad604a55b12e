"""Server-sent events cut out of a stream of bytes, each with exactly the bytes that it came in.

Stricter than the standard (WHATWG HTML, 9.2.6), which passes over what it does not know: some clients do not,
so a line that is neither a comment nor one of the four fields makes the stream unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tachograph.ingress.llm.errors import TooLong, Unreadable
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.strict_json import parse

__all__ = ["MAX_KEPT_BYTES", "Event", "Events", "Json", "read", "strict", "written"]

MAX_KEPT_BYTES = 8 << 20
"""Of one answer, what may be kept back: an unfinished event, a tool call and what came behind it."""
_END = re.compile(rb"(?:\A|(?>\r\n|\n|\r))(?>\r\n|\n|\r)")
"""The end of a line, or the beginning, then an empty line. Atomic, since CR LF is one end and not two."""
_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `value` is None for comments, for empty events and for `[DONE]`."""

    raw: bytes
    name: str | None
    value: Json | None
    done: bool = False
    """It is OpenAI's `[DONE]`."""

    def __repr__(self) -> str:
        return f"Event(name={self.name!r}, <{len(self.raw)} bytes>)"


class Events:
    """Cuts a stream into the bytes of its events. The same events come, however the stream was cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked = 0
        self._first = True

    def __len__(self) -> int:
        """Bytes of an event that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self, *, end: bool) -> bytes | None:
        """The next event's bytes, None where more must come; at the `end` the last may be unfinished."""
        found = _END.search(self._buffer, self._looked)
        cut = 0 if found is None else found.end()
        if found is not None and not end and cut == len(self._buffer) and self._buffer[-1] == 0x0D:
            cut = 0  # a line feed may follow, and belongs to it
        if not cut and not end:
            self._looked = max(0, len(self._buffer) - 3)
            self._check(len(self._buffer))
            return None
        raw = bytes(self._buffer[: cut or len(self._buffer)])
        self._check(len(raw))
        del self._buffer[: len(raw)]
        self._looked = 0
        return raw or None

    def _check(self, length: int) -> None:
        if length > MAX_KEPT_BYTES:
            raise TooLong(f"expected events of at most {MAX_KEPT_BYTES} bytes")

    def event(self, raw: bytes) -> Event:
        """Read one; raises `Unreadable`."""
        text, self._first = (raw.removeprefix(_BOM) if self._first else raw), False
        return read(raw, text)


def read(raw: bytes, text: bytes) -> Event:
    """An event from its bytes, which are kept as `raw`. Raises `Unreadable`."""
    data: list[bytes] = []
    name: str | None = None
    for line in text.splitlines():  # of bytes: at CR, LF and CR LF only
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event" and name is None:
            name = value.decode("utf-8", "replace")
        elif field not in {b"", b"id", b"retry"} or (not field and line and line[:1] != b":"):
            raise Unreadable("expected server-sent events, got a line that is none of their fields")
    told = data[0] if len(data) == 1 else b"\n".join(data)
    bare = told.strip()
    if not bare or bare == _DONE:
        return Event(raw, name, None, done=bare == _DONE)
    return Event(raw, name, strict(told))


def strict(data: bytes) -> Json:
    """An object that every reader of JSON reads alike. Raises `Unreadable`."""
    try:
        value = parse(data)
    except Unclear as error:
        raise Unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise Unreadable("expected a JSON object")
    return value


def written(value: Mapping[str, Any], name: str | None = None) -> bytes:
    """An event of ours."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + orjson.dumps(value) + b"\n\n"
