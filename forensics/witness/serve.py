"""One witness process: its memory opened for it alone, its HTTP served, until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.witness.memory import Memory
from tachograph.forensics.witness.server import witness_app
from tachograph.schemas.listen import Listen
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.witness_settings import WitnessConfiguration

__all__ = ["alone", "run"]

MAX_CONNECTIONS = 64
KEEP_ALIVE_SECONDS = 75
DRAIN_SECONDS = 5
Told = Callable[[dict[str, Any]], None]


def run(settings: WitnessConfiguration, *, base: Path, signer: NoteSigner, on_ready: Told) -> None:
    """Cosign until SIGTERM or SIGINT; relative paths lie below `base`. Raises `OperatorError`."""
    _log_to_stderr()
    memory = Memory(base / settings.state)
    with alone(base / settings.state):
        asyncio.run(_serve(settings, memory, signer, on_ready))


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Nobody else has this memory until the end of the block. Raises `OperatorError`."""
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OperatorError(
                f"{state}: another witness runs with it; two with one memory would cosign forks"
            ) from None
        yield


async def _serve(settings: WitnessConfiguration, memory: Memory, signer: NoteSigner, told: Told) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = witness_app(logs=settings.keys, memory=memory, signer=signer, now=lambda: int(time.time()))
    with contextlib.closing(_listening(settings.listen)) as sock:
        server = uvicorn.Server(_uvicorn(app))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are in place
        serving = asyncio.create_task(server.serve([sock]))
        host, port = sock.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        told({"part": "witness", "witness": url, "key": str(signer.key), "logs": sorted(settings.keys)})
        await stop.wait()
        server.should_exit = True
        await serving


def _listening(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        return socket.create_server((listen.host, listen.port), family=family)
    except OSError as error:
        raise OperatorError(
            f"listen {listen.host}:{listen.port}: {error.strerror}; choose another address or port"
        ) from None


def _uvicorn(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",  # bounds a request's head, which httptools does not
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _log_to_stderr() -> None:
    """One JSON object a line; standard output belongs to `ready`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
