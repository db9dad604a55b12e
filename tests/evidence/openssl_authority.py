"""A real time-stamp authority on this machine: `openssl ts` behind a small HTTP server.

It sends only its own certificate, as RFC 3161 lets it; verifiers must have its root from elsewhere.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OPENSSL_SECONDS = 30
_EXTENSIONS = """\
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamps]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
"""
_AUTHORITY = """\
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = stamps.pem
signer_key = stamps.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Served:
    """Where the authority answers, and the root to believe it by."""

    url: str
    root: str


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """An authority with fresh keys in `folder`, until the end of the block."""
    _make(folder)
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            with one_at_a_time:
                (folder / "asked.tsq").write_bytes(asked)
                _openssl(folder, "ts -reply -config authority.cnf -queryfile asked.tsq -out answer.tsr")
                answer = (folder / "answer.tsr").read_bytes()
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_address[1]}/tsr", (folder / "root.pem").read_text())
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "extensions.cnf").write_text(_EXTENSIONS)
    (folder / "authority.cnf").write_text(_AUTHORITY)
    (folder / "serial").write_text("01\n")
    for name in ("root", "stamps"):
        _openssl(folder, f"ecparam -name prime256v1 -genkey -noout -out {name}.key")
        _openssl(folder, f"req -new -config extensions.cnf -key {name}.key -subj /CN={name} -out {name}.csr")
    own = "-extfile extensions.cnf -days 30"
    _openssl(folder, f"x509 -req -in root.csr -signkey root.key {own} -extensions root -out root.pem")
    by = "-CA root.pem -CAkey root.key -set_serial 2"
    _openssl(folder, f"x509 -req -in stamps.csr {by} {own} -extensions stamps -out stamps.pem")


def _openssl(folder: Path, command: str) -> None:
    arguments = ["openssl", *command.split(" ")]
    subprocess.run(arguments, cwd=folder, check=True, capture_output=True, timeout=OPENSSL_SECONDS)
