"""From the upstream's bytes to one response, without I/O. One parser reads one response, no more.

What comes after the response, or without having been asked, poisons the connection: it is never reused.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import httptools

from tachograph.ingress.errors import UpstreamGarbage
from tachograph.ingress.http.buffer import Buffer
from tachograph.ingress.http.fields import Control, control_fields, refuse_response, response_length, tokens
from tachograph.schemas.payload import HeaderField

__all__ = ["MAX_RESPONSE_HEAD_BYTES", "ReceivedHead", "ResponseParser"]

MAX_RESPONSE_HEAD_BYTES = 256 << 10
MAX_INTERIM = 64
"""Of one response, 100 among them; a target that says 102 every ten seconds may do so for ten minutes."""


@dataclass(frozen=True, slots=True)
class ReceivedHead:
    """A response's head as it came."""

    status: int
    reason: str
    http_version: str
    headers: tuple[HeaderField, ...]
    control: Control = field(repr=False)
    length: int | None
    """Of the body: bytes, -1 if chunked, None if it ends with the connection."""

    @property
    def keep_alive(self) -> bool:
        named = tokens(self.control["connection"]) if "connection" in self.control else frozenset()
        kept = "close" not in named if self.http_version == "1.1" else "keep-alive" in named
        return kept and self.length is not None


class ResponseParser:
    """Feed it bytes, then read `interim`, `head`, `body`, `trailers`; `fault` says that it is not HTTP."""

    def __init__(self, method: str) -> None:
        self.interim: deque[ReceivedHead] = deque()
        self.head: ReceivedHead | None = None
        self.body = Buffer()
        self.trailers: tuple[HeaderField, ...] = ()
        self.fault: UpstreamGarbage | None = None
        self.started = False
        """Whether any byte has come."""
        self.reusable = False
        """Whether the connection may carry another request, once the body is complete."""
        self._method = method
        self._parser = httptools.HttpResponseParser(self)
        self._reason: list[bytes] = []
        self._fields: list[HeaderField] = []
        self._size = 0
        self._interims = 0

    @property
    def complete(self) -> bool:
        return self.body.complete

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises: see `fault`."""
        self.started = True
        if self.fault is not None:
            return
        if self.body.complete:
            self.reusable = False
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._stop(error)
        else:
            self._bound()

    def eof(self) -> bool:
        """The upstream closed; returns whether the response is whole."""
        if self.head is not None and self.head.length is None and self.fault is None:
            self.body.complete = True
        self.reusable = False
        return self.body.complete

    def close(self) -> None:
        """No more bytes will come. The two parsers hold each other: only the collector would free them."""
        del self._parser

    # --- called by httptools ---

    def on_message_begin(self) -> None:
        if self.body.complete:
            self.reusable = False
        self._reason.clear()
        self._fields = []

    def on_status(self, reason: bytes) -> None:
        self._reason.append(reason)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        if self.body.complete:
            return
        head = self._read_head()
        fault = refuse_response(head.status, head.http_version, head.control)
        if fault is not None:
            raise fault
        self._fields = []
        if head.status < 200:
            self._add_interim(head)
            return
        self.head = head
        self.reusable = head.keep_alive
        if self._method == "HEAD":
            self.body.complete = True

    def on_chunk_header(self) -> None:
        self._size = 0

    def on_body(self, data: bytes) -> None:
        if self.body.complete:
            self.reusable = False
            return
        self._size = 0
        self.body.put(data)

    def on_message_complete(self) -> None:
        if self.head is not None and not self.body.complete:
            self.trailers = tuple(self._fields)
            self.body.complete = True

    # --- ours ---

    def _read_head(self) -> ReceivedHead:
        status = self._parser.get_status_code()
        control = control_fields(self._fields)
        return ReceivedHead(
            status=status,
            reason=b"".join(self._reason).decode("latin-1"),
            http_version=self._parser.get_http_version(),
            headers=tuple(self._fields),
            control=control,
            length=response_length(self._method, status, control),
        )

    def _add_interim(self, head: ReceivedHead) -> None:
        self._size = 0
        self._interims += 1
        if self._interims > MAX_INTERIM:
            raise UpstreamGarbage(f"expected at most {MAX_INTERIM} interim responses")
        if head.status != 100:  # we answered the agent's expectation ourselves
            self.interim.append(head)

    def _stop(self, error: Exception) -> None:
        self.reusable = False
        if self.body.complete:
            return
        cause = error.__context__
        if isinstance(cause, UpstreamGarbage):
            self.fault = cause
        else:
            reason = error.args[0] if error.args and isinstance(error.args[0], str) else "an upgrade"
            self.fault = UpstreamGarbage(f"the upstream's answer is not HTTP/1.1: {reason}")

    def _bound(self) -> None:
        reading_body = self.head is not None and self.head.length != -1
        if self._size > MAX_RESPONSE_HEAD_BYTES and not self.body.complete and not reading_body:
            self.fault = UpstreamGarbage(f"expected a head of at most {MAX_RESPONSE_HEAD_BYTES} bytes")
