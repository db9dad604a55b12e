"""From heads and bodies to bytes. Nothing here decides; it writes, and refuses to split a message."""

from __future__ import annotations

from collections.abc import Sequence

from tachograph.ingress.errors import GatewayFault
from tachograph.schemas.payload import HeaderField

__all__ = ["CONTINUE", "LAST_CHUNK", "chunk", "last_chunk", "request_head", "response_head"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def request_head(method: str, target: str, headers: Sequence[HeaderField]) -> bytes:
    """A request's head; header values are written as they stand."""
    return _head(f"{method} {target} HTTP/1.1\r\n", headers)


def response_head(status: int, reason: str, headers: Sequence[HeaderField]) -> bytes:
    """A response's head in HTTP/1.1, whatever version the upstream spoke."""
    return _head(f"HTTP/1.1 {status} {reason}\r\n", headers)


def chunk(data: bytes) -> bytes:
    """One chunk; `data` must not be empty, since an empty chunk is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Sequence[HeaderField]) -> bytes:
    """The end of a chunked body."""
    return _head("0\r\n", trailers) if trailers else LAST_CHUNK


def _head(first: str, headers: Sequence[HeaderField]) -> bytes:
    text = first + "".join([f"{name}: {value}\r\n" for name, value in headers]) + "\r\n"
    # A line break inside a value would make two messages of one. The parsers let none through, but a
    # credential comes from a file.
    if text.count("\n") != len(headers) + 2 or text.count("\r") != len(headers) + 2:
        raise GatewayFault("a header value holds a line break")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise GatewayFault("a header value is not ISO 8859-1") from None
