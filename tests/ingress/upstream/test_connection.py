"""One upstream connection, driven by hand: what it says of itself at each turn."""

from __future__ import annotations

import asyncio
from typing import Any

from tachograph.ingress.errors import UpstreamGarbage, UpstreamReset
from tachograph.ingress.upstream.connection import READ_HIGH_BYTES, UpstreamConnection


class FakeTransport(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.written = b""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return "abort" in self.calls


def _made() -> tuple[UpstreamConnection, FakeTransport, list[UpstreamConnection]]:
    lost: list[UpstreamConnection] = []
    connection, transport = UpstreamConnection(lost.append), FakeTransport()
    connection.connection_made(transport)
    return connection, transport, lost


def test_an_exchange() -> None:
    """Begin, write, read, finish: and it may carry the next one."""
    connection, transport, _ = _made()
    woken: list[int] = []
    response = connection.begin("GET", lambda: woken.append(1))
    connection.write(b"GET")
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (transport.written, woken, response.complete) == (b"GET", [1], True)
    assert connection.take(9) == b"ok"
    assert connection.finish() is True
    assert (connection.served, connection.response) == (1, None)


def test_unasked_bytes_close_it() -> None:
    """Data on an idle connection is the answer to nothing."""
    connection, transport, _ = _made()
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    assert transport.calls == ["abort"]
    assert not connection.usable


def test_back_pressure() -> None:
    """Reading pauses above the bound and resumes when enough was taken."""
    connection, transport, _ = _made()
    connection.begin("GET", lambda: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    connection.data_received(b"x" * (READ_HIGH_BYTES + 1))
    connection.data_received(b"x")
    assert transport.calls == ["pause"]
    connection.take(READ_HIGH_BYTES)
    assert transport.calls == ["pause", "resume"]


def test_trouble_has_a_name() -> None:
    """Lost before, in the middle of, and after a response; and not HTTP at all."""
    connection, _, lost = _made()
    connection.begin("GET", lambda: None)
    connection.connection_lost(None)
    assert isinstance(connection.trouble, UpstreamReset)
    assert "without an answer" in str(connection.trouble)
    assert lost == [connection]

    connection, *_ = _made()
    connection.begin("GET", lambda: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    connection.connection_lost(ConnectionResetError())
    assert "in the middle" in str(connection.trouble)

    connection, *_ = _made()
    connection.begin("GET", lambda: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nok")
    connection.connection_lost(None)
    assert connection.trouble is None

    connection, *_ = _made()
    connection.begin("GET", lambda: None)
    connection.data_received(b"SSH\r\n")
    assert isinstance(connection.trouble, UpstreamGarbage)


def test_a_reset_is_no_end_of_a_body() -> None:
    """A body that the connection delimits is whole only after an orderly close."""
    connection, *_ = _made()
    connection.begin("GET", lambda: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nok")
    connection.connection_lost(ConnectionResetError())
    assert isinstance(connection.trouble, UpstreamReset)
