"""A credential that was rotated while nothing was masked: it shows nowhere, for its record names it."""

from __future__ import annotations

import base64
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson

KINDS: dict[str, dict[str, str]] = {
    "bearer": {"type": "bearer"},
    "basic": {"type": "basic"},
    "header": {"type": "header", "name": "X-Key"},
    "query": {"type": "query", "name": "key"},
}
ROTATIONS = 3


def _echo(peer: socket.socket, head: bytes) -> None:
    """Say in the body, and in other words too, what came."""
    fields = [line.partition(b": ")[2] for line in head.split(b"\r\n") if line]
    coded = [base64.b64encode(field).decode() for field in (head, *fields)]
    plain = [base64.b64decode(field.split()[-1]).decode() for field in fields if field.startswith(b"Basic ")]
    body = orjson.dumps({"came": head.decode(), "coded": coded, "plain": plain})
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body))
    peer.sendall(b"Connection: close\r\n\r\n" + body)


def _settings(port: int) -> dict[str, Any]:
    common = {"protocol": "http", "upstream": f"http://127.0.0.1:{port}", "allow": ["*"]}
    made = [
        {"name": name, **common, "credential": {**kind, "source": {"file": f"targets/{name}"}}}
        for name, kind in KINDS.items()
    ]
    return {"connections": made}


def test_a_credential_rotated_while_the_masker_was_down_shows_nowhere(
    stack: Any, tmp_path: Path, open_site: Callable[..., AbstractContextManager[Any]]
) -> None:
    """Three rotations of every kind of credential, a target that repeats it all, and then a masker."""
    (tmp_path / "targets").mkdir()
    used: list[str] = []

    def rotate() -> None:
        for name in KINDS:
            password = f"Zq{secrets.token_hex(3)}-{secrets.token_hex(4)}"
            used.append(password)
            new = tmp_path / "targets" / "new"
            new.touch(mode=0o600)
            new.write_text(f"user:{password}" if name == "basic" else password)
            new.rename(tmp_path / "targets" / name)

    rotate()
    with open_site(tmp_path, stack, _settings) as site:
        site.target.play = _echo
        site.supervisor.kill("process")
        for _ in range(ROTATIONS):
            rotate()
            time.sleep(1.2)  # the gateway looks once a second
            for name in KINDS:
                came = site.ask(f"/c/{name}/x")
                assert used[-len(KINDS) + list(KINDS).index(name)].encode() in came

        def all_told() -> bool:
            site.supervisor.tick(now=time.monotonic())
            return [len(pair) for pair in site.exchanges().values()] == [2] * len(KINDS) * ROTATIONS

        site.eventually(all_told)
        told = orjson.dumps(site.documents()) + b"".join(site.topic(site.config.kafka.topics.masked))
    assert told.count(b"[CREDENTIAL:") >= 2 * len(KINDS) * ROTATIONS
    for password in used:
        for spelling in (password.encode(), password.encode().hex().encode()):
            assert spelling not in told
