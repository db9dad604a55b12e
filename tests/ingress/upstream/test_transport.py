"""An ordinary httpx client over the pool, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tachograph.ingress.upstream.pool import UpstreamPool
from tachograph.ingress.upstream.target import parse_target
from tachograph.ingress.upstream.transport import PoolTransport

SECONDS = 30.0
ANSWERS = {
    b"/plain": b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    b"/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    b"/garbage": b"SSH-2.0\r\n",
    b"/silent": b"",
}


class Server(asyncio.Protocol):
    """Answers by path; `/cut` closes, `/echo` repeats the request's body."""

    def __init__(self, ends: list[asyncio.Transport]) -> None:
        self.ends = ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ends.append(transport)
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        path = self.got.split(b" ")[1].partition(b"?")[0]
        if path == b"/echo":
            if self.got.endswith((b"0\r\n\r\n", b"payload")):
                body = self.got.partition(b"\r\n\r\n")[2]
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                self.got = b""
            return
        self.got = b""
        self.transport.write(ANSWERS[path])
        if path == b"/cut":
            self.transport.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client whose every request goes over one pool."""
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Transport] = []
    server = await loop.create_server(lambda: Server(ends), "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pool = UpstreamPool(parse_target(base), context=None, connect_timeout=SECONDS, loop=loop)
    async with httpx.AsyncClient(transport=PoolTransport(pool), base_url=base, timeout=SECONDS) as made:
        yield made
    server.close()
    for end in ends:
        end.abort()
    await asyncio.sleep(0)  # what was aborted is closed on the loop's next turn


@pytest.mark.parametrize("path", ["/plain?a=%2f", "/chunked"])
async def test_answers(client: httpx.AsyncClient, path: str) -> None:
    """Sized and chunked answers arrive whole, and their connection is used again."""
    for _ in range(3):
        answer = await client.get(path)
        assert (answer.status_code, answer.content) == (200, b"hello")
    transport = client._transport
    assert isinstance(transport, PoolTransport)
    assert transport._pool.open == 1
    assert "transfer-encoding" not in answer.headers


async def test_bodies(client: httpx.AsyncClient) -> None:
    """A sized body goes as it is, a streamed one in chunks."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"pay"
        yield b"load"

    assert (await client.post("/echo", content=b"payload")).content == b"payload"
    assert (await client.post("/echo", content=pieces())).content == b"3\r\npay\r\n4\r\nload\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/cut", httpx.RemoteProtocolError),
        ("/garbage", httpx.RemoteProtocolError),
        ("/silent", httpx.ReadTimeout),
        ("http://elsewhere.example/", httpx.UnsupportedProtocol),
    ],
)
async def test_errors_are_httpx_errors(client: httpx.AsyncClient, path: str, error: type[Exception]) -> None:
    """A user of httpx sees httpx's own exceptions, and no request goes to another host."""
    with pytest.raises(error):
        await client.get(path, timeout=0.1 if path == "/silent" else SECONDS)


async def test_a_stream_that_is_left_is_not_kept(client: httpx.AsyncClient) -> None:
    """Leaving a response unread gives up its connection."""
    async with client.stream("GET", "/cut"):
        pass
    transport = client._transport
    assert isinstance(transport, PoolTransport)
    assert transport._pool.idle == 0
