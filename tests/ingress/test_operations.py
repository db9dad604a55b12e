"""What operators ask, over a raw socket, on an address of its own."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from tachograph.ingress.operations import Operations
from tachograph.operations.answers import Readiness


async def _ask(operations: Operations, text: str) -> tuple[str, bytes]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        await operations.start(sock)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text.encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await writer.wait_closed()
        operations.stop()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


@pytest.mark.parametrize(
    ("request_line", "refusing", "status", "body"),
    [
        ("GET /healthz", "", 200, b"ok\n"),
        ("HEAD /healthz", "", 200, b""),
        ("GET /metrics", "", 200, b"tacho_x 1\n"),
        ("GET /metrics?x", "", 200, b"tacho_x 1\n"),
        ("GET /c/up/", "", 404, b"expected /healthz, /readyz or /metrics\n"),
        ("POST /metrics", "", 400, b"expected GET\n"),
    ],
)
async def test_paths(request_line: str, refusing: str, status: int, body: bytes) -> None:
    """Three paths and nothing else; none of them is the agents'."""
    operations = Operations(readiness=lambda: Readiness(refusing, {}), metrics=lambda: b"tacho_x 1\n")
    head, got = await _ask(operations, f"{request_line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert got == body


@pytest.mark.parametrize(("refusing", "status"), [("", 200), ("the spool is full", 503)])
async def test_readiness_tells_the_truth(refusing: str, status: int) -> None:
    """Not ready means 503 with the reason, so that a load balancer and a human both understand."""
    operations = Operations(readiness=lambda: Readiness(refusing, {"strands": 2}), metrics=lambda: b"")
    head, body = await _ask(operations, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert json.loads(body) == {"ready": not refusing, "refusing": refusing, "strands": 2}
