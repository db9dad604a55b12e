"""The target of the ingress benchmark: as cheap as an HTTP/1.1 server in Python can be.

`POST /json` answers 1 KiB of JSON; `GET /sse?events=N&every=MS` sends N events that carry the clock's
reading. Run as `python -m bench.upstream PORT`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast
from urllib.parse import parse_qs

import httptools
import uvloop

BODY = b'{"ok":true,"pad":"' + b"x" * (1024 - 20) + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
PAD = "x" * 96


class Upstream(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.stream: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the name is asyncio's
        if self.stream:
            self.stream.cancel()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_message_complete(self) -> None:
        if b"/sse" in self.url:
            self.stream = asyncio.get_running_loop().create_task(self.send_events(self.url))
        else:
            self.transport.write(ANSWER)

    async def send_events(self, url: bytes) -> None:
        query = parse_qs(httptools.parse_url(url).query.decode())
        every = float(query["every"][0]) / 1000
        loop = asyncio.get_running_loop()
        self.transport.write(SSE_HEAD)
        due = loop.time()
        for _ in range(int(query["events"][0])):
            due += every
            await asyncio.sleep(max(0.0, due - loop.time()))
            event = f"data: {time.monotonic_ns()} {PAD}\n\n".encode()
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.transport.write(b"0\r\n\r\n")


async def serve(port: int) -> None:
    """Serve on loopback until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=1024)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
