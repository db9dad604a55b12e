"""Whatever a server does to be waited for, the exchange ends when its time is up, and its connection too."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import httpx
import pytest

from tachograph.credentials import deadline
from tachograph.credentials.deadline import DeadlinePassed, DeadlineTransport, within

TOTAL = 0.3
"""Seconds that an exchange may take here; each silence may be longer, so that nothing else ends it."""
SILENCE = 60.0
LATE = 30.0
"""A busy machine may be so late."""
DRIP_SECONDS = 0.02
HEAD = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Says the beginning to each connection, and then drop after drop until the other side is gone."""

    def __init__(self, beginning: bytes, drop: bytes) -> None:
        self._beginning, self._drop = beginning, drop
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.left = threading.Event()
        """The client has closed a connection."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # it waits for one
        self._thread.join(LATE)
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            connection, _ = self._socket.accept()
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            connection.sendall(self._beginning)
            while not self._stopped.wait(DRIP_SECONDS):
                connection.sendall(self._drop)
        except OSError:
            self.left.set()


@contextmanager
def serving(beginning: bytes, drop: bytes = b"a") -> Iterator[Server]:
    server = Server(beginning, drop)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(transport=DeadlineTransport(ssl.create_default_context()), timeout=SILENCE) as made:
        yield made


def asked(client: httpx.Client, url: str, content: bytes = b"") -> None:
    began = time.monotonic()
    with pytest.raises(DeadlinePassed):
        client.post(url, content=content, extensions=within(TOTAL))
    assert time.monotonic() - began < LATE


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b""),
        (b"H", b""),
        (HEAD + b"x-a: ", b"a"),
        (HEAD, b"x: y\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (HEAD + b"content-length: 1000000\r\n\r\n", b"a"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;x=", b"a"),
    ],
    ids=["silence", "status", "a field", "fields", "interim", "body", "chunks", "a chunk's head"],
)
def test_who_drips_is_left(client: httpx.Client, beginning: bytes, drop: bytes) -> None:
    """Wherever in its answer it does so; and the socket is closed, not kept for later."""
    with serving(beginning, drop) as server:
        asked(client, f"http://127.0.0.1:{server.port}/")
        if drop:
            assert server.left.wait(LATE)


def test_a_handshake_that_drips_is_left(client: httpx.Client) -> None:
    """A record of TLS that says how long it is going to be, and takes its time."""
    with serving(b"\x16\x03\x03\x40\x00", b"\x00") as server:
        asked(client, f"https://127.0.0.1:{server.port}/")
        assert server.left.wait(LATE)


def test_who_does_not_take_the_question_is_left(client: httpx.Client) -> None:
    """A body that is longer than what lies between the two."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        asked(client, f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"x" * (32 << 20))


@pytest.mark.parametrize("found", [True, False])
def test_a_name_that_nobody_resolves_in_time_is_left(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    """The resolver knows no time-out: what it finds too late is closed, or forgotten."""
    go_on, ended = threading.Event(), threading.Event()

    class Late(httpcore.NetworkStream):
        def close(self) -> None:
            ended.set()

    def connect(*_: object) -> httpcore.NetworkStream:
        assert go_on.wait(LATE)
        if not found:
            ended.set()
            raise httpcore.ConnectError
        return Late()

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    asked(client, "http://vault.example/")
    go_on.set()
    assert ended.wait(LATE)


def test_threads_have_each_their_own_time(client: httpx.Client) -> None:
    """Over one client: the one that is cut off takes nothing from the one that is not."""
    beginning = HEAD + b"content-length: 10\r\n\r\n"
    with serving(HEAD) as slow, serving(beginning) as steady, ThreadPoolExecutor(2) as threads:
        cut = threads.submit(asked, client, f"http://127.0.0.1:{slow.port}/")
        whole = threads.submit(client.get, f"http://127.0.0.1:{steady.port}/", extensions=within(SILENCE))
        cut.result(LATE)
        assert whole.result(LATE).content == b"a" * 10


def test_a_silence_that_is_too_long_is_no_deadline(client: httpx.Client) -> None:
    """Both bounds hold, and which it was can be told."""
    with serving(b"", b"") as server, pytest.raises(httpx.ReadTimeout) as late:
        client.get(f"http://127.0.0.1:{server.port}/", timeout=0.05, extensions=within(SILENCE))
    assert not isinstance(late.value, DeadlinePassed)


def test_a_time_that_is_up_already_asks_nobody(client: httpx.Client) -> None:
    """Nothing is left for it, and no error of another kind comes of that."""
    with pytest.raises(DeadlinePassed):
        client.get("http://127.0.0.1:9/", extensions=within(-1.0))


def test_a_connection_is_used_again(client: httpx.Client) -> None:
    """Each exchange has its own time on it, and one that names none has none."""
    callers: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        said = (within(SILENCE), {}, within(SILENCE))
        assert [client.get(url, extensions=extensions).status_code for extensions in said] == [200] * 3
        client.close()
        server.shutdown()
        thread.join()
    assert len(callers) == 3
    assert len(set(callers)) < 3  # unless the machine stood still for longer than one is kept, twice


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"SSH-2.0\r\n\r\n", httpx.RemoteProtocolError), (None, httpx.ConnectError)],
    ids=["another protocol", "nobody"],
)
def test_failures_are_those_of_httpx(
    client: httpx.Client, answer: bytes | None, error: type[Exception]
) -> None:
    """So that who catches them needs to know nothing of this."""
    if answer is None:
        with pytest.raises(error):
            client.get("http://127.0.0.1:9/", extensions=within(SILENCE))
        return
    with serving(answer) as server, pytest.raises(error):
        client.get(f"http://127.0.0.1:{server.port}/", extensions=within(SILENCE))


def test_every_error_of_httpcore_has_its_name_in_httpx() -> None:
    """Which is what they are told by."""
    kinds = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
    names = {kind.__name__ for root in kinds for kind in (root, *root.__subclasses__())}
    assert all(issubclass(getattr(httpx, name), httpx.TransportError) for name in names)
    assert deadline.MAX_IDLE_CONNECTIONS < deadline.MAX_CONNECTIONS
