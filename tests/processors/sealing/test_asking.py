"""Questions to anchors end, whatever the other side does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tachograph.processors.errors import AnchorFault
from tachograph.processors.sealing import asking
from tachograph.processors.sealing.asking import Answer, Caller, http_client

Handle = Callable[[httpx.Request], httpx.Response]


def caller(handle: Handle, *, stopping: bool = False) -> Caller:
    return Caller(
        httpx.Client(transport=httpx.MockTransport(handle)), "http://w/ask", wait=lambda _: stopping
    )


def test_an_answer_is_taken_as_it_is() -> None:
    """Status, media type without its parameters, bytes; the question went out with its own type."""

    def handle(request: httpx.Request) -> httpx.Response:
        assert (request.headers["content-type"], request.content) == ("text/x", b"body")
        return httpx.Response(
            409, headers={"content-type": "Text/X.tlog.size; charset=utf-8"}, content=b"7\n"
        )

    assert caller(handle).post(b"body", "text/x") == Answer(409, "text/x.tlog.size", b"7\n")


def test_what_may_pass_is_tried_again_and_then_given_up() -> None:
    """Two tries; the second may succeed."""
    answers = iter([httpx.Response(503), httpx.Response(200, content=b"ok")])
    assert caller(lambda _: next(answers)).post(b"", "t").body == b"ok"
    tries: list[int] = []

    def down(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        raise httpx.ConnectError("nobody there", request=request)

    with pytest.raises(AnchorFault, match="no answer \\(ConnectError\\)"):
        caller(down).post(b"", "t")
    assert len(tries) == asking.TRIES


def test_nobody_waits_when_it_is_time_to_stop() -> None:
    """The pause ends the asking."""
    tries: list[int] = []

    def busy(_: httpx.Request) -> httpx.Response:
        tries.append(1)
        return httpx.Response(429)

    with pytest.raises(AnchorFault, match="429"):
        caller(busy, stopping=True).post(b"", "t")
    assert len(tries) == 1


def test_an_endless_answer_is_not_read_on() -> None:
    """Only so many bytes."""
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            sent.append(1)
            yield b"x" * 4096

    with pytest.raises(AnchorFault, match="too long"):
        caller(lambda _: httpx.Response(200, content=endless())).post(b"", "t")
    assert len(sent) < 40


def test_every_wait_has_a_bound() -> None:
    """Connecting and each part of an answer; redirects are not followed."""
    with http_client() as http:
        assert http.timeout == httpx.Timeout(asking.ANSWER_SECONDS, connect=asking.CONNECT_SECONDS)
        assert not http.follow_redirects


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def test_headers_that_drip_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps no lane from the next checkpoint."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.5)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    stopped = threading.Event()

    def drip(server: socket.socket) -> None:
        for _ in range(asking.TRIES):
            with server.accept()[0] as connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                    while not stopped.wait(0.02):
                        connection.sendall(b"a")
                except OSError:
                    pass  # who asked has gone

    with socket.create_server(("127.0.0.1", 0)) as server, http_client() as http:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(AnchorFault, match="no answer"):
            Caller(http, f"http://127.0.0.1:{server.getsockname()[1]}/", wait=lambda _: False).post(b"", "t")
        assert time.monotonic() - began < 30
        stopped.set()
        thread.join(30)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses are outside: some can be reached in no other way."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(30)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        asked: list[bytes] = []

        def answer() -> None:
            with proxy.accept()[0] as connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with http_client() as http:
            assert Caller(http, "http://witness.example/x", wait=lambda _: True).post(b"", "t").status == 200
        thread.join(30)
    assert asked[0].startswith(b"POST http://witness.example/x ")
