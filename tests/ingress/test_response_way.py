"""The response's way: handed on as it comes, in the frame that the agent understands."""

from __future__ import annotations

import time
from typing import Any

import psutil
import pytest

HEAD = "POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n"
OK = "HTTP/1.1 200 OK\r\n"
MIB = 1 << 20


def test_connections_to_the_target_are_kept(world: Any) -> None:
    """A second request, from another agent, goes over the first one's connection."""
    first = world.get("/c/up/1")
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Keep-Alive: timeout=60\r\nContent-Length: 0\r\n\r\n")
    first.response()
    second = world.get("/c/up/2")
    assert target.head().first == "GET /2 HTTP/1.1"
    target.send(OK + "Content-Length: 0\r\n\r\n")
    assert second.response()[0].status == 200


def test_event_stream_arrives_event_by_event(world: Any) -> None:
    """Each event is at the agent before the next one was sent, the quickest within 20 ms: no timer waits."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert agent.head().get("transfer-encoding") == "chunked"
    waits = []
    for number in range(20):
        event = f"data: {number}\n\n"
        sent = time.perf_counter()
        target.send(f"{len(event):x}\r\n{event}\r\n")
        assert agent.read_until(b"\n\n\r\n").endswith(f"{event}\r\n".encode())
        waits.append(time.perf_counter() - sent)
    assert min(waits) < 0.02
    target.send("0\r\n\r\n")
    assert agent.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
    (record,) = world.recorder.ended()
    assert bytes(record.body) == b"".join(b"data: %d\n\n" % number for number in range(20))


def test_body_that_the_connection_delimits_becomes_chunked(world: Any) -> None:
    """A response without length ends, for the agent, with a last chunk, and the connection is kept."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "\r\nhello")
    target.close()
    head, body = agent.response()
    assert (head.get("transfer-encoding"), head.get("connection"), body) == ("chunked", None, b"hello")
    assert world.recorder.ended()[0].complete is True


@pytest.mark.parametrize(
    ("method", "answer", "shown"),
    [
        ("HEAD", OK + "Content-Length: 1000\r\n\r\n", "1000"),
        ("HEAD", OK + "Transfer-Encoding: chunked\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", None),
        ("GET", 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n', "1000"),
    ],
)
def test_answers_without_body(world: Any, method: str, answer: str, shown: str | None) -> None:
    """HEAD, 204 and 304 have no body, whatever their head says, and both connections stay usable."""
    agent = world.ask(f"{method} /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n")
    target = world.upstream.accept()
    target.head()
    target.send(answer)
    head = agent.head()
    assert head.get("content-length") == shown
    assert head.get("transfer-encoding") is None
    agent.send("GET /c/up/next HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n\r\n")
    assert target.head().first == "GET /next HTTP/1.1"
    target.send(OK + "Content-Length: 2\r\n\r\nok")
    assert agent.response()[1] == b"ok"


def test_early_hints_are_forwarded(world: Any) -> None:
    """103 comes through before the final response; it is not the answer."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: x\r\n\r\n")
    hints = agent.head()
    assert (hints.status, hints.fields) == (103, (("Link", "</a>"),))
    target.send(OK + "Content-Length: 0\r\n\r\n")
    assert agent.response()[0].status == 200


@pytest.mark.parametrize("wanted", [True, False])
def test_trailers_are_forwarded_as_trailers_or_dropped(world: Any, wanted: bool) -> None:
    """Trailers never become headers; an agent that does not say `TE: trailers` gets none."""
    agent = world.get("/c/up/", *(["TE: trailers", "Connection: TE"] if wanted else []))
    target = world.upstream.accept()
    assert target.head().get("te") is None
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a\r\n\r\n")
    head = agent.head()
    assert (head.get("x-sum"), head.all("set-cookie"), head.get("content-length")) == (None, [], None)
    ending = b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n" if wanted else b"2\r\nok\r\n0\r\n\r\n"
    assert agent.read(len(ending)) == ending
    assert ("X-Sum", "1") in world.recorder.ended()[0].trailers


def test_encoded_body_and_cookies_are_untouched(world: Any) -> None:
    """Content-Encoding and its bytes, and each Set-Cookie, arrive as they were sent."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    body = b"\x1f\x8b\x08\x00not really gzip\x00\xff"
    fields = (
        f"Content-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nContent-Length: {len(body)}"
    )
    target.send((OK + fields + "\r\n\r\n").encode() + body)
    head, got = agent.response()
    assert (head.get("content-encoding"), head.all("set-cookie"), got) == (
        "gzip",
        ["a=1", "b=2; Path=/"],
        body,
    )


@pytest.mark.parametrize(("bound", "part"), [("response", ""), ("read", OK + "Content-Length: 5\r\n\r\nhe")])
def test_silence_of_the_target_is_bounded(make_world: Any, bound: str, part: str) -> None:
    """No answer within `response` is 504; silence for `read` in mid-body is a cut."""
    world = make_world(timeouts={bound: 0.2})
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(part)
    head = agent.head()
    assert head.status == (200 if part else 504)
    assert target.ended()
    (record,) = world.recorder.ended()
    assert (record.error.code, record.complete) == ("upstream-timeout", not part)


def test_silence_is_counted_from_the_last_byte(make_world: Any) -> None:
    """A stream that lives longer than `read` goes on as long as pings come."""
    world = make_world(timeouts={"read": 3.0})  # thirty times as long as we are silent ourselves
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n")
    agent.head()
    until = time.monotonic() + 3.1
    while time.monotonic() < until:
        target.send("2\r\n:\n\r\n")
        assert agent.read(7) == b"2\r\n:\n\r\n"
        time.sleep(0.1)
    target.send("0\r\n\r\n")
    assert agent.read(5) == b"0\r\n\r\n"


def test_answer_that_was_not_asked_for_is_not_taken(world: Any) -> None:
    """Bytes on an idle connection close it; the next request's answer is its own."""
    idle = world.idle_connection()
    idle.send(OK + "Content-Length: 4\r\n\r\nevil")
    world.eventually(lambda: world.gateway.plane.pools["up"].idle == 0)
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Content-Length: 4\r\n\r\ngood")
    assert agent.response()[1] == b"good"


def test_bytes_after_a_response_poison_the_connection(world: Any) -> None:
    """A second response in the same write is not the answer to the next request."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send((OK + "Content-Length: 4\r\n\r\ngood") + (OK + "Content-Length: 4\r\n\r\nevil"))
    assert agent.response()[1] == b"good"
    world.recorder.ended()
    assert world.gateway.plane.pools["up"].idle == 0


def test_slow_agent_holds_the_target_back(world: Any) -> None:
    """While the agent does not read, only a bounded part of a 64 MiB response leaves the target."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    before = psutil.Process().memory_info().rss
    thread = target.flood(OK + f"Content-Length: {64 * MIB}\r\n\r\n", mib=64)
    head = agent.head()
    thread.join(0.5)
    assert thread.is_alive(), "the target could send everything: nothing holds it back"
    assert psutil.Process().memory_info().rss - before < 16 * MIB
    left = int(head.get("content-length")) - len(agent.pending)
    while left:
        left -= len(agent.sock.recv(MIB))
    thread.join()
    assert world.recorder.ended()[0].body_len == 64 * MIB


def test_agent_that_never_reads_is_cut(make_world: Any) -> None:
    """A response that nobody takes ends after `write`, and the target is let go."""
    world = make_world(timeouts={"write": 0.3})
    world.get()
    target = world.upstream.accept()
    target.head()
    thread = target.flood(OK + f"Content-Length: {64 * MIB}\r\n\r\n", mib=1)
    thread.join(0.1)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        target.send(b"x" * (63 * MIB))
    (record,) = world.recorder.ended()
    assert (record.error.code, record.complete) == ("client-timeout", False)
