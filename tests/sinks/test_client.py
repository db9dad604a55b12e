"""OpenSearch over the wire: bytes as they are, faults mapped to ours."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.schemas.config import OpenSearch
from tachograph.schemas.connection import SecretSource
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import Busy, CallRefused, SecretUnreadable, Unavailable


class Canned:
    """A server that answers every connection with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.seen = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(60)
                while not self._whole():
                    self.seen += peer.recv(1 << 16)
                peer.sendall(self._answer)

    def _whole(self) -> bool:
        head, end, body = self.seen.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        return bool(end) and len(body) >= (int(length[1]) if length else 0)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(30)


@pytest.fixture
def canned() -> Iterator[Callable[[bytes], Canned]]:
    """Makes servers and ends them."""
    made: list[Canned] = []

    def make(answer: bytes) -> Canned:
        made.append(Canned(answer))
        return made[-1]

    yield make
    for server in made:
        server.close()


def response(status: str, body: bytes, kind: str = "application/json", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        ("429 Too Many", True),
        ("503 Later", True),
        ("408 Slow", True),
        ("500 Oops", False),
        ("502 Bad", False),
    ],
)
def test_later_is_unavailable(canned: Callable[[bytes], Canned], status: str, busy: bool) -> None:
    """The same call may succeed another time; of who only has too much to do, that is said."""
    cluster = Cluster(OpenSearch(url=canned(response(status, b"{}")).url), base=Path())
    with pytest.raises(Unavailable) as caught:
        cluster.bulk(b"{}\n{}\n")
    assert isinstance(caught.value, Busy) is busy


def test_a_refusal_keeps_the_errors_type_and_none_of_its_text(canned: Callable[[bytes], Canned]) -> None:
    """The reason may quote a document."""
    body = b'{"error":{"type":"parse_exception","reason":"near hunter2"},"status":400}'
    cluster = Cluster(OpenSearch(url=canned(response("400 Bad", body)).url), base=Path())
    with pytest.raises(CallRefused) as caught:
        cluster.bulk(b"{}\n{}\n")
    assert (caught.value.status, caught.value.kind) == (400, "parse_exception")
    assert "hunter2" not in str(caught.value)


def test_a_refusal_in_plain_text_is_its_status(canned: Callable[[bytes], Canned]) -> None:
    """A proxy's page is not shown."""
    answer = response("413 Large", b"hunter2", "text/plain")
    cluster = Cluster(OpenSearch(url=canned(answer).url), base=Path())
    with pytest.raises(CallRefused, match="413 http-413"):
        cluster.bulk(b"{}\n{}\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        response("200 OK", b'{"items":', length=100),
        response("200 OK", b"<html>", "text/html"),
        response("200 OK", b"\xff\xfe"),
    ],
)
def test_no_answer_and_half_an_answer_are_unavailable(
    canned: Callable[[bytes], Canned], answer: bytes
) -> None:
    """Closed, garbage, torn, another content type, not text."""
    cluster = Cluster(OpenSearch(url=canned(answer).url), base=Path())
    with pytest.raises(Unavailable):
        cluster.bulk(b"{}\n{}\n")


def test_a_cluster_that_hangs_costs_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for ever."""
    monkeypatch.setattr("tachograph.sinks.client.CALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = Cluster(OpenSearch(url=f"http://127.0.0.1:{silent.getsockname()[1]}"), base=Path())
        with pytest.raises(Unavailable):
            cluster.bulk(b"{}\n{}\n")
        cluster.close()


def test_nobody_there_is_unavailable() -> None:
    """A refused connection."""
    with pytest.raises(Unavailable):
        Cluster(OpenSearch(url="http://127.0.0.1:1"), base=Path()).version()


def test_a_bulk_body_travels_unchanged_with_the_login(
    canned: Callable[[bytes], Canned], tmp_path: Path
) -> None:
    """NDJSON, basic authentication from the secret's file, only what `settle` reads asked for."""
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text("p")
    server = canned(response("200 OK", b'{ "items" : [] }'))
    settings = OpenSearch(url=server.url, username="u", password=SecretSource(file="password"))
    body = '{"a":"\u00e9\\u00e9"}\n{ }\n'.encode()
    assert Cluster(settings, base=tmp_path).bulk(body) == b'{ "items" : [] }'
    head, _, sent = server.seen.partition(b"\r\n\r\n")
    assert sent == body
    assert b"application/x-ndjson" in head.lower()
    assert b"authorization: basic dtpw" in head.lower()
    assert b"filter_path=" in head


def test_a_missing_password_is_found_at_once(tmp_path: Path) -> None:
    """Before anything is sent."""
    settings = OpenSearch(username="u", password=SecretSource(file="password"))
    with pytest.raises(SecretUnreadable):
        Cluster(settings, base=tmp_path)


@pytest.mark.engines
def test_the_real_cluster_answers(world: Any, eventually: Callable[..., None]) -> None:
    """Version, a missing template, a missing document, stored bytes, a refused question."""
    cluster = world.cluster
    eventually(lambda: cluster.version() > "1", "its version told")
    eventually(lambda: cluster.get("/_index_template/tacho-no-such") is None, "a template missed")
    assert cluster.source(world.index, "none") is None
    source = b'{ "a" : 1.0, "b":"\\u00e9" }'
    world.made()
    world.ask("PUT", f"/{world.index}/_doc/x", source)
    assert cluster.source(world.index, "x") == source
    with pytest.raises(CallRefused, match="400"):
        cluster.call("POST", f"/{world.index}/_search", b'{"query":{"nonsense":{}}}')
