"""The whole ingress as its own process: real identity, real spool, Kafka out of reach."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli.stack.ports import choose
from tachograph.ingress.errors import KeysUnreadable, ListenFailed
from tachograph.ingress.serve import run
from tachograph.schemas.config import Configuration

KEY = "tacho_abcd1234_" + "k" * 43
PROGRAM = """
import json, pathlib, sys
from tachograph.ingress.serve import run
from tachograph.schemas.config import Configuration
run(Configuration.model_validate_json(sys.argv[1]), base=pathlib.Path(sys.argv[2]),
    on_ready=lambda facts: print(json.dumps(facts), flush=True))
"""


def _settings(upstream: int, workers: int) -> dict[str, Any]:
    return {
        "ingress": {"listen": {"port": 0}, "workers": workers},
        "kafka": {"bootstrap_servers": "127.0.0.1:1"},
        "connections": [{"name": "up", "protocol": "http", "upstream": f"http://127.0.0.1:{upstream}"}],
    }


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with keys that only we can read."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    texts = {
        "kek": base64.b64encode(b"k" * 32).decode(),
        "api-keys.yaml": "- id: abcd1234\n  name: tester\n"
        f"  hash: {digest}\n  created: 2026-01-01T00:00:00Z\n",
    }
    for name, text in texts.items():
        (keys / name).touch(mode=0o600)
        (keys / name).write_text(text)
    return tmp_path


@pytest.fixture
def upstream() -> Iterator[int]:
    """A target that answers every request on a connection of its own with `ok`."""
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def serve() -> None:
            while True:
                try:
                    peer, _ = sock.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(ConnectionError):  # whoever asked may be gone
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield sock.getsockname()[1]
        sock.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@contextlib.contextmanager
def _ingress(settings: dict[str, Any], base: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-c", PROGRAM, json.dumps(settings), str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.kill()


def _get(url: str, key: str = KEY) -> tuple[int, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", parts.path, headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("workers", [1, 2])
def test_serves_and_stops(base: Path, upstream: int, workers: int) -> None:
    """It says when and where it serves, checks identity, relays, and ends by itself after SIGTERM."""
    with _ingress(_settings(upstream, workers), base) as (process, facts):
        assert facts["workers"] == workers
        url = facts["connections"]["up"]
        assert [_get(url + "/a-path-of-its-own") for _ in range(4)] == [(200, b"ok")] * 4
        assert _get(url, "tacho_abcd1234_" + "x" * 43)[0] == 401
        process.terminate()
        assert process.wait(60) == 0
    assert any((base / "spool").rglob("*.seg"))
    assert not any(b"/a-path-of-its-own" in path.read_bytes() for path in (base / "spool").rglob("*.seg"))


def test_operations_have_their_own_address(base: Path, upstream: int) -> None:
    """Health, readiness and metrics are not among the agents' paths."""
    settings = _settings(upstream, 1)
    settings["ingress"]["metrics"] = {"port": choose(0, set())}
    with _ingress(settings, base) as (_, facts):
        assert _get(f"{facts['metrics']}/healthz") == (200, b"ok\n")
        _get(facts["connections"]["up"])
        status, body = _get(f"{facts['metrics']}/metrics")
        assert status == 200
        assert b'tacho_ingress_exchanges_total{connection="up",outcome="ok"} 1.0' in body
        assert _get(f"{facts['metrics']}/readyz")[0] == 200
        assert _get(f"{facts['ingress']}/metrics")[0] == 404


def test_standard_output_says_ready_and_nothing_else(base: Path, upstream: int) -> None:
    """A supervisor that stops reading after the first line can neither lose a log line nor block one."""
    with _ingress(_settings(upstream, 1), base) as (process, facts):
        assert _get(facts["connections"]["up"])[0] == 200
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == ""


def _run(base: Path, settings: dict[str, Any]) -> None:
    run(Configuration.model_validate(settings), base=base, on_ready=lambda _: pytest.fail("it came up"))


def test_a_key_file_that_others_can_read_stops_the_start(base: Path) -> None:
    """Nothing is served with a key that is no secret."""
    (base / "keys/kek").chmod(0o644)
    with pytest.raises(KeysUnreadable, match="chmod 600"):
        _run(base, _settings(1, 1))


def test_a_taken_port_stops_the_start(base: Path) -> None:
    """The address is named, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        settings = _settings(1, 1)
        settings["ingress"]["listen"]["port"] = sock.getsockname()[1]
        with pytest.raises(ListenFailed, match="free the port"):
            _run(base, settings)
