"""The agent's side over raw sockets: what is refused, what is bounded, what stays in order."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from tachograph.ingress.http import agent as agent_module

HEAD = "POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n"

MALFORMED = {
    "content-length with transfer-encoding": (
        HEAD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "transfer-encoding with content-length": (
        HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        400,
    ),
    "two content-lengths": (HEAD + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    "the same content-length twice": (HEAD + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "a list of content-lengths": (HEAD + "Content-Length: 5, 5\r\n\r\nhello", 400),
    "a signed content-length": (HEAD + "Content-Length: +5\r\n\r\nhello", 400),
    "a hexadecimal content-length": (HEAD + "Content-Length: 0x5\r\n\r\nhello", 400),
    "an empty content-length": (HEAD + "Content-Length:\r\n\r\n", 400),
    "a content-length beyond 64 bits": (HEAD + "Content-Length: 99999999999999999999\r\n\r\n", 400),
    "a coding before chunked": (HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding after chunked": (HEAD + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "a coding but not chunked": (HEAD + "Transfer-Encoding: gzip\r\n\r\n", 501),
    "identity": (HEAD + "Transfer-Encoding: identity\r\n\r\n", 501),
    "a coding that only looks like chunked": (HEAD + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunked twice": (
        HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "transfer-encoding in HTTP/1.0": (
        "POST /c/up/ HTTP/1.0\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a folded line": (HEAD + "X-A: a\r\n b\r\n\r\n", 400),
    "a fold in the first field": ("GET /c/up/ HTTP/1.1\r\n Host: gateway\r\n\r\n", 400),
    "a space before the colon": (HEAD + "X-A : a\r\n\r\n", 400),
    "a NUL in a value": (HEAD + "X-A: a\0b\r\n\r\n", 400),
    "a CR in a value": (HEAD + "X-A: a\rb\r\n\r\n", 400),
    "a bare LF after a field": (HEAD + "X-A: a\nX-B: b\r\n\r\n", 400),
    "a bare LF after the request line": ("GET /c/up/ HTTP/1.1\nHost: gateway\r\n\r\n", 400),
    "a bare LF at the end of the head": (HEAD + "X-A: a\r\n\n", 400),
    "a name that is no token": (HEAD + "X(A): a\r\n\r\n", 400),
    "a line without a colon": (HEAD + "X-A\r\n\r\n", 400),
    "a chunk size that is no number": (HEAD + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    "a chunk size with a prefix": (HEAD + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
    "a chunk size with a sign": (HEAD + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (HEAD + "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", 400),
    "a chunk size ended by a bare LF": (
        HEAD + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        400,
    ),
    "a chunk size beyond 64 bits": (HEAD + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400),
    "no host": ("GET /c/up/ HTTP/1.1\r\nX-Tacho-Key: good\r\n\r\n", 400),
    "two hosts": (HEAD + "Host: other\r\n\r\n", 400),
    "a host with userinfo": ("GET /c/up/ HTTP/1.1\r\nHost: a@b\r\nX-Tacho-Key: good\r\n\r\n", 400),
    "a host with a path": ("GET /c/up/ HTTP/1.1\r\nHost: a/b\r\nX-Tacho-Key: good\r\n\r\n", 400),
    "an empty host": ("GET /c/up/ HTTP/1.1\r\nHost:\r\nX-Tacho-Key: good\r\n\r\n", 400),
    "HTTP/0.9": ("GET /c/up/\r\n\r\n", 505),
    "HTTP/2 by prior knowledge": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/2.0 in a request line": ("GET /c/up/ HTTP/2.0\r\nHost: gateway\r\n\r\n", 505),
    "an unknown version": ("GET /c/up/ HTTP/1.2\r\nHost: gateway\r\n\r\n", 400),
    "a method that nobody knows": ("BREW /c/up/ HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "a space in the target": ("GET /c/up/a b HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "TLS to a clear port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "an expectation that nobody knows": (HEAD + "Content-Length: 5\r\nExpect: 200-ok\r\n\r\n", 417),
    "CONNECT": ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    "TRACE": ("TRACE /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n", 405),
    "a WebSocket upgrade": (HEAD + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_is_refused_and_never_forwarded(case: str, world: Any) -> None:
    """What two HTTP parsers might read in two ways is refused, and the connection closed."""
    text, status = MALFORMED[case]
    agent = world.ask(text)
    head, body = agent.response()
    assert head.status == status
    assert head.get("content-type") == "application/problem+json"
    assert head.get("connection") == "close"
    assert b'"next"' in body
    assert agent.ended()
    assert all(record.origin == "gateway" and record.complete for record in world.recorder.records)


@pytest.mark.parametrize("case", [name for name in MALFORMED if "chunk" not in name])
def test_malformed_head_reaches_no_target(case: str, world: Any) -> None:
    """No connection to the target is opened for a request that is refused by its head."""
    agent = world.ask(MALFORMED[case][0])
    agent.response()
    assert world.upstream.untouched()


def test_two_requests_in_one_write_are_answered_in_order(world: Any) -> None:
    """Pipelined requests are forwarded one after the other and answered in the order they came."""
    one = "GET /c/up/{} HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n"
    agent = world.ask(one.format(1) + one.format(2))
    target = world.upstream.accept()
    for number in (b"1", b"2"):
        assert target.head().first == f"GET /{number.decode()} HTTP/1.1"
        target.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)
        assert agent.response()[1] == number
    assert len(world.recorder.ended(2)) == 2


def test_garbage_after_a_request_waits_for_its_answer(world: Any) -> None:
    """A malformed second request is refused only after the first was answered."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    agent.send("BROKEN\r\n\r\n")
    target.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert agent.response()[1] == b"ok"
    assert agent.response()[0].status == 400
    assert agent.ended()


def test_a_body_that_looks_like_a_request_stays_a_body(world: Any) -> None:
    """The bytes of an h2c upgrade's body are forwarded as its body, never read as a second request."""
    inner = "GET /c/up/smuggled HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n"
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    agent = world.ask(f"{HEAD}{offer}Content-Length: {len(inner)}\r\n\r\n{inner}")
    target = world.upstream.accept()
    head = target.head()
    assert (head.get("upgrade"), head.get("http2-settings"), head.get("connection")) == (None, None, None)
    assert target.read(len(inner)) == inner.encode()
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204
    agent.send("GET /c/up/next HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n")
    assert target.head().first == "GET /next HTTP/1.1"


@pytest.mark.parametrize(
    "field", ["X-Long: " + "a" * 5000 + "\r\n", "X-A: a\r\n" * 300, "X" * 5000 + ": a\r\n"]
)
def test_heads_are_bounded(make_world: Any, field: str) -> None:
    """A head beyond the limit, in bytes or in fields, is answered 431."""
    world = make_world(ingress={"max_header_bytes": 4096})
    assert world.ask(HEAD + field + "\r\n").response()[0].status == 431


def test_a_head_that_never_ends_is_refused_early(make_world: Any) -> None:
    """The limit holds for bytes that have come, not only for finished fields."""
    world = make_world(ingress={"max_header_bytes": 4096})
    agent = world.ask(HEAD + "X-Long: ")
    for _ in range(10):
        agent.send("a" * 1000)
    assert agent.response()[0].status == 431


def test_trailers_are_bounded(make_world: Any) -> None:
    """Endless trailers end the exchange and not the worker's memory."""
    world = make_world(ingress={"max_header_bytes": 4096})
    agent = world.ask(HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + "X-A: a\r\n" * 2000)
    assert agent.response()[0].status == 400


def test_a_slow_head_times_out(make_world: Any) -> None:
    """A head that drips is answered 408 after `header_timeout`, however often a byte comes."""
    world = make_world(ingress={"header_timeout": 0.3})
    agent = world.ask("GET /c/up/ HTTP/1.1\r\n")
    started = time.monotonic()
    agent.sock.settimeout(0.05)
    answer = b""
    while b"\r\n\r\n" not in answer:
        try:
            answer += agent.sock.recv(4096)
        except TimeoutError:
            agent.send("X")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 8  # the usual time is 10 s


def test_an_idle_connection_is_closed(make_world: Any) -> None:
    """A connection without a request ends after `idle_timeout`, without an answer nobody asked for."""
    world = make_world(ingress={"idle_timeout": 0.2})
    assert world.gateway.connect().rest() == b""


def test_one_connection_too_many_is_turned_away(make_world: Any) -> None:
    """Beyond `max_connections` the answer is 503 with Retry-After; when one leaves, another may come."""
    world = make_world(ingress={"max_connections": 2})
    first, _ = world.gateway.connect(), world.gateway.connect()
    world.eventually(lambda: len(world.gateway.plane.agents.connections) == 2)
    head, _ = world.gateway.connect().response()
    assert (head.status, head.get("retry-after")) == (503, "1")
    first.close()
    world.eventually(lambda: len(world.gateway.plane.agents.connections) == 1)
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204


class StuckTransport(asyncio.Transport):
    """A peer that reads nothing more: `close` never comes to an end, `abort` does."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = asyncio.Event()
        self.calls: list[str] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.calls.append("limits")

    def write(self, data: Any) -> None:
        self.calls.append("write")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")
        self.aborted.set()


async def test_who_does_not_read_the_rest_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """After our close a peer has a bounded time to take what is left; until it is gone it counts."""
    monkeypatch.setattr(agent_module, "CLOSE_SECONDS", 0.01)

    async def answer(connection: agent_module.AgentConnection, request: Any) -> None:
        connection.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    agents = agent_module.Agents(agent_module.AgentLimits(9, 4096, 9, 9), answer, on_refused=lambda _: None)
    connection = agent_module.AgentConnection(agents, asyncio.get_running_loop())
    transport = StuckTransport()
    connection.connection_made(transport)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await asyncio.wait_for(transport.aborted.wait(), 20)
    assert transport.calls == ["limits", "write", "close", "abort"]
    assert agents.connections == {connection}
    connection.connection_lost(None)
    assert agents.connections == set()


def test_a_refused_upload_can_read_its_refusal(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that is still sending when it is refused gets the answer, not a reset."""
    monkeypatch.setattr(agent_module, "LINGER_SECONDS", 30.0)
    agent = world.ask("POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nContent-Length: 3000000\r\n\r\n")
    agent.send(b"x" * 1_000_000)
    head, _ = agent.response()
    assert (head.status, head.get("connection")) == (401, "close")
    agent.send(b"x" * 1_000_000)
    assert agent.ended()


def test_nagle_is_off_on_the_agents_side(world: Any) -> None:
    """Small events leave at once."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()

    def nodelay() -> list[int]:
        (connection,) = world.gateway.plane.agents.connections
        (upstream,) = world.gateway.plane.pools["up"]._open
        socks = [item._transport.get_extra_info("socket") for item in (connection, upstream)]
        return [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in socks]

    assert all(world.gateway.call(nodelay))
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    agent.head()


def test_http_1_0_is_answered_and_closed(world: Any) -> None:
    """An HTTP/1.0 agent gets no chunks: the connection's end delimits the body."""
    agent = world.ask("GET /c/up/ HTTP/1.0\r\nX-Tacho-Key: good\r\n\r\n")
    target = world.upstream.accept()
    assert target.head().first == "GET / HTTP/1.1"
    target.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    head = agent.head()
    assert (head.get("transfer-encoding"), head.get("connection")) == (None, "close")
    assert agent.rest() == b"hello"
