"""The pool: last in, first out; nothing leaks; failures have names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tachograph.ingress.errors import TargetError, UpstreamRefused, UpstreamTimeout
from tachograph.ingress.upstream.connection import UpstreamConnection
from tachograph.ingress.upstream.pool import DEFAULT_IDLE_SECONDS, UpstreamPool, idle_seconds
from tachograph.ingress.upstream.target import parse_target

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def _pool(port: int, *, seconds: float = 30) -> UpstreamPool:
    return UpstreamPool(
        parse_target(f"http://127.0.0.1:{port}"),
        context=None,
        connect_timeout=seconds,
        loop=asyncio.get_running_loop(),
    )


@pytest.fixture
async def pool() -> AsyncIterator[UpstreamPool]:
    """A pool in front of a server that answers every piece with an empty 200."""
    ends: list[asyncio.Transport] = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            ends.append(transport)

        def data_received(self, data: bytes) -> None:
            if b"close" in data:
                self.transport.close()
            else:
                self.transport.write(ANSWER)

    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    made = _pool(server.sockets[0].getsockname()[1])
    yield made
    made.close()
    server.close()
    for end in ends:
        end.abort()
    await asyncio.sleep(0)  # what was aborted is closed on the loop's next turn


async def _use(connection: UpstreamConnection, data: bytes = b"GET / HTTP/1.1\r\n\r\n") -> None:
    woken = asyncio.Event()
    response = connection.begin("GET", woken.set)
    connection.write(data)
    while not (response.complete or connection.trouble):
        woken.clear()
        await asyncio.wait_for(woken.wait(), 20)


async def test_last_in_first_out(pool: UpstreamPool) -> None:
    """The connection used last is used next, so the surplus ages out."""
    first, second = await pool.acquire(), await pool.acquire()
    for connection in (first, second):
        await _use(connection)
        pool.release(connection, idle=10, clean=True)
    assert (pool.idle, pool.open) == (2, 2)
    assert await pool.acquire() is second
    assert await pool.acquire(fresh=True) not in (first, second)
    assert await pool.acquire() is first


@pytest.mark.parametrize(("idle", "clean"), [(0.0, True), (10.0, False)])
async def test_not_every_connection_is_kept(pool: UpstreamPool, idle: float, clean: bool) -> None:
    """One that the target will close, or whose request was not sent whole, is closed."""
    connection = await pool.acquire()
    await _use(connection)
    pool.release(connection, idle=idle, clean=clean)
    assert pool.idle == 0
    assert not connection.usable


async def test_unfinished_exchange_is_not_kept(pool: UpstreamPool) -> None:
    """A response that did not end ends its connection."""
    connection = await pool.acquire()
    connection.begin("GET", lambda: None)
    pool.release(connection, idle=10, clean=True)
    assert pool.idle == 0


async def test_old_connection_is_not_used(pool: UpstreamPool) -> None:
    """Past its idle time a connection is closed and a new one opened."""
    connection = await pool.acquire()
    await _use(connection)
    pool.release(connection, idle=10, clean=True)
    connection.idle_until = 0.0
    assert await pool.acquire() is not connection


async def test_sweep_closes_what_is_old(pool: UpstreamPool) -> None:
    """Idle connections do not wait for the next request to be closed."""
    connection = await pool.acquire()
    await _use(connection)
    pool.release(connection, idle=10, clean=True)
    pool._sweep()
    assert pool.idle == 1
    connection.idle_until = 0.0
    pool._sweep()
    assert pool.idle == 0
    assert not connection.usable


async def test_lost_connection_leaves_the_pool(pool: UpstreamPool) -> None:
    """A connection that the target closed is in no list, and its trouble has a name."""
    connection = await pool.acquire()
    await _use(connection, b"close")
    assert isinstance(connection.trouble, TargetError)
    assert pool.open == 0


async def test_refused() -> None:
    """Nobody listens: `UpstreamRefused`, with the address."""
    with socket.socket() as held:  # bound, so that nobody else can listen there meanwhile
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(UpstreamRefused, match=f"127.0.0.1:{port}: connection refused"):
            await _pool(port).acquire()


async def test_connect_timeout() -> None:
    """A target that does not answer the handshake is given up after `connect`."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        port = sock.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(UpstreamTimeout, match=r"within 0\.2 s"):
            await _pool(port, seconds=0.2).acquire()
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("timeout=5", 4.0),
        ("Timeout = 30, max=100", 29.0),
        ('timeout="10"', 9.0),
        ("timeout=1", 0.0),
        ("timeout=0", 0.0),
        ("timeout=99999", 60.0),
        ("max=5", DEFAULT_IDLE_SECONDS),
        ("nonsense", DEFAULT_IDLE_SECONDS),
    ],
)
def test_idle_seconds(value: str, seconds: float) -> None:
    """The target's own word, a second kept in hand; else a little less than common servers wait."""
    assert idle_seconds((("keep-alive", value),)) == seconds
    assert idle_seconds(()) == DEFAULT_IDLE_SECONDS


async def test_a_retired_pool_keeps_nothing(pool: UpstreamPool) -> None:
    """What is idle is closed at once, what is in use when its exchange ends; nobody is cut off."""
    idle, used = await pool.acquire(), await pool.acquire()
    await _use(idle)
    pool.release(idle, idle=10, clean=True)
    pool.retire()
    assert (pool.idle, idle.usable, used.usable) == (0, False, True)
    await _use(used)
    pool.release(used, idle=10, clean=True)
    assert (pool.idle, used.usable) == (0, False)
