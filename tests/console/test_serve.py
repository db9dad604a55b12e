"""One process: put together from its configuration, reached where it says, gone when asked."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest

from tachograph.console import serve
from tachograph.console.errors import OperatorError
from tachograph.console.metrics import Metrics
from tachograph.schemas.config import Configuration
from tachograph.schemas.console_settings import Console
from tachograph.schemas.listen import Listen


def settings(folder: Path) -> Configuration:
    (folder / "keys").mkdir()
    key = folder / "keys" / "approvals"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(os.urandom(32)))
    away = {"bootstrap_servers": "127.0.0.1:1", "client": {"log_level": "0"}}
    return Configuration.model_validate({"kafka": away, "console": {"listen": {"port": 0}}})


async def test_it_opens_without_kafka_and_says_so(tmp_path: Path) -> None:
    """The login page is there; readiness says what is missing."""
    async with serve.opened(settings(tmp_path), base=tmp_path, url="http://127.0.0.1:9") as console:
        transport = httpx.ASGITransport(console.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9") as client:
            assert "--local-login" in (await client.get("/login")).text
        assert console.metrics.readiness().refusing
        assert b"tacho_console_pending 0.0" in generate_latest(console.metrics.registry)


async def test_a_missing_key_is_said(tmp_path: Path) -> None:
    """Nothing is opened without it."""
    with pytest.raises(OperatorError, match="approvals"):
        async with serve.opened(Configuration(), base=tmp_path, url="http://127.0.0.1:9"):
            pass


def test_the_origin_is_what_people_type() -> None:
    """Else where it listens."""
    assert serve.public_url(Console(public_url="https://c.example"), 1) == "https://c.example"
    assert serve.public_url(Console(), 8090) == "http://127.0.0.1:8090"
    assert serve.public_url(Console(listen={"host": "::1"}), 1) == "http://[::1]:1"


def test_a_taken_port_is_said() -> None:
    """By its setting."""
    with serve._listening(Console(listen={"port": 0})) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=r"console\.listen"):
            serve._listening(Console(listen={"port": port}))


def test_a_taken_metrics_port_is_said() -> None:
    """Counts that nobody can read are no reason to guess: the setting is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen(port=taken.getsockname()[1])
        with pytest.raises(OperatorError, match=r"console\.metrics"):
            serve._for_operators(listen, Metrics())
