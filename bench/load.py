"""The load: bounded in connections and time, on loopback, stopping by itself.

`python -m bench.load closed|rate|sse URL ...` prints one JSON line. Closed: each connection sends its next
request when the answer is whole. Rate: requests leave at fixed times whatever the answers do. SSE: how long
each event took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

MAX_SECONDS = 60
MAX_CONNECTIONS = 256


@dataclass(slots=True)
class Tally:
    """What happened; latencies in seconds."""

    done: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)

    def report(self, seconds: float) -> dict[str, float]:
        ordered = sorted(self.latencies) or [float("nan")]
        return {
            "done": self.done,
            "failed": self.failed,
            "per_s": round(self.done / seconds, 1),
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 3),
            "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 3),
        }


class Client(asyncio.Protocol):
    """One connection; `exchange` sends a request and waits for the whole answer."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.parser = httptools.HttpResponseParser(self)
        self.answer: asyncio.Future[bool] | None = None

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the name is asyncio's
        self._settle(ok=False)

    def on_body(self, body: bytes) -> None:
        if body.startswith(b"data: "):
            now = time.monotonic_ns()
            for event in body.split(b"\n\n"):
                if event.startswith(b"data: "):
                    self.tally.latencies.append((now - int(event[6:].split(b" ", 1)[0])) / 1e9)

    def on_message_complete(self) -> None:
        self._settle(ok=self.parser.get_status_code() == 200)
        self.parser = httptools.HttpResponseParser(self)

    def _settle(self, *, ok: bool) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(ok)

    async def exchange(self, request: bytes) -> bool:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


def request_bytes(url: str, method: str, key: str | None, size: int = 0) -> tuple[str, int, bytes]:
    """Host, port and the bytes of one request; a POST carries `size` bytes of JSON."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    body = b'{"q":"' + b"y" * (size - 8) + b'"}' if method == "POST" else b""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: bench"]
    lines += [f"X-Tacho-Key: {key}"] if key else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return parts.hostname or "", parts.port or 80, ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def connect(host: str, port: int, tally: Tally) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(tally), host, port)
    return client


async def closed(url: str, key: str | None, connections: int, seconds: float, size: int) -> dict[str, float]:
    """As fast as it goes over `connections` connections."""
    tally = Tally()
    host, port, request = request_bytes(url, "POST", key, size)
    end = time.monotonic() + seconds

    async def one() -> None:
        client = await connect(host, port, tally)
        while (start := time.monotonic()) < end:
            ok = await client.exchange(request)
            tally.latencies.append(time.monotonic() - start)
            tally.done += ok
            tally.failed += not ok
            if client.transport.is_closing():
                client = await connect(host, port, tally)
        client.transport.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return tally.report(seconds)


async def rate(url: str, key: str | None, per_s: float, seconds: float, size: int) -> dict[str, float]:
    """At fixed times; latency counts from when the request was due, so a stall is not forgiven."""
    tally = Tally()
    host, port, request = request_bytes(url, "POST", key, size)
    idle: list[Client] = [await connect(host, port, tally) for _ in range(16)]
    tasks: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        client = idle.pop() if idle else await connect(host, port, tally)
        ok = await client.exchange(request)
        tally.latencies.append(time.monotonic() - due)
        tally.done += ok
        tally.failed += not ok
        if not client.transport.is_closing():
            idle.append(client)

    start = time.monotonic()
    for index in range(int(per_s * seconds)):
        due = start + index / per_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.ensure_future(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.wait_for(asyncio.gather(*tasks), MAX_SECONDS)
    return tally.report(seconds)


async def sse(url: str, key: str | None, streams: int, seconds: float, every_ms: float) -> dict[str, float]:
    """`streams` streams of one event each `every_ms`; latency is arrival minus the clock in the event."""
    tally = Tally()
    events = int(seconds * 1000 / every_ms)
    host, port, request = request_bytes(f"{url}?events={events}&every={every_ms:g}", "GET", key)
    clients = [await connect(host, port, tally) for _ in range(streams)]
    done = await asyncio.gather(*(client.exchange(request) for client in clients))
    tally.done, tally.failed = len(tally.latencies), done.count(False)
    return tally.report(seconds)


def main() -> None:
    """Parse the bounds, run one kind of load, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["closed", "rate", "sse"])
    parser.add_argument("url")
    parser.add_argument("--key")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--per-s", type=float, default=300)
    parser.add_argument("--bytes", type=int, default=1024, help="of JSON in each request")
    parser.add_argument("--every-ms", type=float, default=20)
    options = parser.parse_args()
    seconds = min(options.seconds, MAX_SECONDS)
    connections = min(options.connections, MAX_CONNECTIONS)
    if urlsplit(options.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        sys.exit("the load goes to loopback only")
    jobs = {
        "closed": lambda: closed(options.url, options.key, connections, seconds, options.bytes),
        "rate": lambda: rate(options.url, options.key, options.per_s, seconds, options.bytes),
        "sse": lambda: sse(options.url, options.key, connections, seconds, options.every_ms),
    }
    sys.stdout.write(json.dumps(uvloop.run(jobs[options.kind]())) + "\n")


if __name__ == "__main__":
    main()
