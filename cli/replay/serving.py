"""Serve the tape until somebody has had enough: SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from tachograph.cli.errors import WrongUse

__all__ = ["address", "listening", "serve"]

MAX_CONNECTIONS = 256
DRAIN_SECONDS = 2


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[::1]:PORT` or `:PORT` for loopback; port 0 for a free one. Raises `WrongUse`."""
    host, colon, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not colon or not 0 <= number < 65_536:
        raise WrongUse(
            f"--listen {text}: expected HOST:PORT, such as 127.0.0.1:9000, or port 0 for a free one"
        )
    return host.strip("[]") or "127.0.0.1", number


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises `WrongUse`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise WrongUse(f"--listen {host}:{port}: {error.strerror}") from None


def serve(app: Any, sock: socket.socket, on_ready: Callable[[str], None]) -> None:
    """Serve on a socket until a signal comes; `on_ready` gets the URL."""
    asyncio.run(_serve(app, sock, on_ready))


async def _serve(app: Any, sock: socket.socket, on_ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.closing(sock):
        server = uvicorn.Server(_settings(app))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are in place
        serving = asyncio.create_task(server.serve([sock]))
        host, port = sock.getsockname()[:2]
        on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        await stop.wait()
        server.should_exit = True
        await serving


def _settings(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",  # bounds a request's head, which httptools does not
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,  # an answer that broke off then breaks off now: no fault to be logged
        log_level="critical",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
