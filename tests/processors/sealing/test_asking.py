"""Questions to anchors end, whatever the other side does."""

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
