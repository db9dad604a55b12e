"""From the agent's bytes to requests, without I/O: heads checked, bodies buffered, faults kept in order.

llhttp does the grammar (strict: no obs-fold, no bare LF, no Content-Length with Transfer-Encoding);
what it leaves open is decided in `fields`. A fault stands behind the requests before it, so answers keep
their order. What follows a fault is never parsed: where one message ends is then unknown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import httptools

from tachograph.ingress.errors import BadRequest
from tachograph.ingress.http.buffer import Buffer
from tachograph.ingress.http.fields import Control, control_fields, refuse_request, tokens
from tachograph.schemas.payload import HeaderField

__all__ = ["MAX_FIELDS", "IncomingRequest", "RequestParser"]

MAX_FIELDS = 256


@dataclass(slots=True)
class IncomingRequest:
    """One request: its head is final, its body grows. `fault` means it was read but is not taken."""

    method: str
    target: str
    """As sent, ISO 8859-1."""
    http_version: str
    headers: tuple[HeaderField, ...]
    control: Control = field(repr=False)
    length: int
    """Of the body: bytes, or -1 if chunked."""
    body: Buffer
    fault: BadRequest | None = None

    @property
    def host(self) -> str:
        return self.control.get("host", [""])[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the agent means to send another request. HTTP/1.0 connections are not kept."""
        closing = "connection" in self.control and "close" in tokens(self.control["connection"])
        return self.http_version == "1.1" and self.fault is None and not closing

    @property
    def expects_continue(self) -> bool:
        return "expect" in self.control and self.http_version == "1.1"

    @property
    def takes_trailers(self) -> bool:
        return "te" in self.control and "trailers" in tokens(self.control["te"])


class RequestParser:
    """Feed it bytes; take requests from `requests`. `fault` is set when the connection is beyond repair.

    At most `max_head_bytes` go by without a finished head, a body byte or a new chunk: this bounds heads,
    trailers and chunk extensions alike.
    """

    def __init__(self, *, max_head_bytes: int) -> None:
        self.requests: deque[IncomingRequest] = deque()
        self.fault: BadRequest | None = None
        self._max_head = max_head_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._current: IncomingRequest | None = None
        self._url: list[bytes] = []
        self._fields: list[HeaderField] = []
        self._head_size = 0
        self._progress = 0
        self._stalled = 0
        self._mute = False
        self._begun = False

    @property
    def in_head(self) -> bool:
        """Whether some bytes of a head have come but not all."""
        return self._begun

    def feed(self, data: bytes) -> None:
        """Take the next bytes from the socket. Never raises: see `fault`."""
        if self.fault is not None:
            return
        before = self._progress
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._resume(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._stop(error)
            return
        self._stalled = self._stalled + len(data) if self._progress == before else 0
        if self._stalled > self._max_head and self.fault is None:
            self._set_fault(self._too_long())

    # --- called by httptools ---

    def on_message_begin(self) -> None:
        self._begun = not self._mute
        self._url.clear()
        self._fields = []
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        self._url.append(url)
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._mute:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > self._max_head or len(self._fields) >= MAX_FIELDS:
            raise self._too_long()
        if self._current is None:  # else it is a trailer: dropped, never merged
            self._fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        self._progress += 1
        if self._mute:
            return
        request = self._head()
        self._begun = False
        self._current = request
        self.requests.append(request)
        if request.fault is not None:
            raise request.fault

    def on_chunk_header(self) -> None:
        self._progress += 1

    def on_body(self, data: bytes) -> None:
        self._progress += 1
        if self._current is not None:
            self._current.body.put(data)

    def on_message_complete(self) -> None:
        self._progress += 1
        current = self._current
        if current is None or (self._parser.should_upgrade() and not self._mute):
            return  # after an upgrade that is not taken, `_resume` says where the body is
        current.body.complete = True
        self._current = None
        self._mute = False

    # --- ours ---

    def _head(self) -> IncomingRequest:
        method = self._parser.get_method().decode("latin-1")
        version = self._parser.get_http_version()
        control = control_fields(self._fields)
        lengths = control.get("content-length")
        return IncomingRequest(
            method=method,
            target=b"".join(self._url).decode("latin-1"),
            http_version=version,
            headers=tuple(self._fields),
            control=control,
            length=-1 if "transfer-encoding" in control else int(lengths[0]) if lengths else 0,
            body=Buffer(),
            fault=refuse_request(method, version, control),
        )

    def _resume(self, rest: bytes) -> None:
        # llhttp hands the connection over at an `Upgrade`, body and all. An offer that is not taken is
        # an ordinary request (RFC 9110, 7.8: "A server MAY ignore a received Upgrade"), so a new parser
        # is told the framing of the body that is still to come.
        request = self._current
        self._parser = httptools.HttpRequestParser(self)
        if request is None or request.length == 0:
            self.on_message_complete()
        else:
            framing = (
                f"Content-Length: {request.length}" if request.length > 0 else "Transfer-Encoding: chunked"
            )
            self._mute = True
            self._parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
        if rest:
            self.feed(rest)

    def _stop(self, error: httptools.HttpParserError) -> None:
        cause = error.__context__
        if isinstance(cause, BadRequest):
            self._set_fault(cause)
        else:
            # llhttp's reasons are fixed texts: they hold no byte of what was sent.
            self._set_fault(BadRequest(f"malformed HTTP: {error.args[0] if error.args else 'unknown'}"))

    def _set_fault(self, fault: BadRequest) -> None:
        self.fault = fault
        if self._current is not None and self._current.fault is None:
            self._current.fault = fault

    def _too_long(self) -> BadRequest:
        detail = f"expected heads of at most {self._max_head} bytes and {MAX_FIELDS} fields"
        return BadRequest(detail, status=431 if self._current is None else 400)
