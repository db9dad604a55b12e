"""Serve an ASGI application on loopback: `--port 0` chooses a free port, `ready {json}` says where it is."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


def options(description: str | None) -> argparse.ArgumentParser:
    """What every example server takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, 0 for a free one")
    parser.add_argument("--log", type=Path, help="file that gets one line for each exchange")
    return parser


def serve(app: ASGIApp, port: int) -> None:
    """Serve until SIGTERM or SIGINT; prints one line `ready {json}` when connections are taken."""
    listener = socket.create_server((HOST, port))
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    print(f"ready {json.dumps({'url': url})}", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])
