"""The request's way: on record first, then at the target, in the pieces that it came in."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil

HEAD = "POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n"
OK = "HTTP/1.1 200 OK\r\n"
MIB = 1 << 20


def test_nothing_is_forwarded_before_it_is_durable(world: Any) -> None:
    """While the recorder has not made the request durable, the target is not even connected to."""
    world.recorder.gate.clear()
    agent = world.get()
    world.eventually(lambda: world.recorder.records)
    time.sleep(0.05)
    assert world.upstream.untouched()
    world.recorder.gate.set()
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204


def test_chunked_request_stays_chunked(world: Any) -> None:
    """A chunked body arrives whole and chunked; its trailers are dropped, never merged into the head."""
    agent = world.ask(
        HEAD + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-T: secret\r\n\r\n"
    )
    target = world.upstream.accept()
    head = target.head()
    assert (head.get("transfer-encoding"), head.get("trailer"), head.get("content-length")) == (
        "chunked",
        None,
        None,
    )
    assert target.chunked() == b"hello!"
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204
    (record,) = world.recorder.ended()
    assert record.pieces == [b"hello!"]
    assert not any(name.lower() == "x-t" for name, _ in record.head.headers)


def test_long_request_is_recorded_and_forwarded_in_pieces(world: Any) -> None:
    """A body of 1 MiB goes through in pieces of at most 256 KiB, each recorded before it is forwarded."""
    body = bytes(range(256)) * 4096
    agent = world.ask(HEAD + f"Content-Length: {len(body)}\r\n\r\n")
    sender = threading.Thread(target=agent.send, args=(body,))
    sender.start()
    target = world.upstream.accept()
    target.head()
    assert target.read(len(body)) == body
    sender.join()
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    agent.head()
    (record,) = world.recorder.ended()
    assert b"".join(record.pieces) == body
    assert len(record.pieces) >= 4
    assert record.request_end is True


def test_slow_request_is_sent_on_after_a_second(world: Any) -> None:
    """What has come is recorded and forwarded after about a second, without waiting for the rest."""
    agent = world.ask(HEAD + "Content-Length: 10\r\n\r\nhello")
    target = world.upstream.accept()
    target.head()
    assert target.read(5) == b"hello"
    agent.send("world")
    assert target.read(5) == b"world"
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204
    assert world.recorder.ended()[0].pieces == [b"hello", b"world"]


def test_continue_comes_from_the_gateway(world: Any) -> None:
    """`Expect: 100-continue` is answered once the identity is accepted, and is not passed on."""
    agent = world.ask(HEAD + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert agent.head().first == "HTTP/1.1 100 Continue"
    agent.send("hi")
    target = world.upstream.accept()
    assert target.head().get("expect") is None
    assert target.read(2) == b"hi"
    target.send("HTTP/1.1 100 Continue\r\n\r\n" + OK + "Content-Length: 0\r\n\r\n")
    assert agent.response()[0].first == "HTTP/1.1 200 OK"


def test_no_continue_without_identity(world: Any) -> None:
    """Who is not accepted is refused before sending the body."""
    agent = world.ask("POST /c/up/ HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert agent.head().status == 401


def test_early_answer_stops_the_upload(world: Any) -> None:
    """A target that answers before it has read everything is heard; its connection is not used again."""
    agent = world.ask(HEAD + "Content-Length: 1000000\r\n\r\n" + "x" * 300_000)
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    head, body = agent.response()
    assert (head.status, head.get("connection"), body) == (413, "close", b"big")
    (record,) = world.recorder.ended()
    assert (record.request_end, record.status, record.complete) == (False, 413, True)
    world.eventually(lambda: world.gateway.plane.pools["up"].open == 0)


def test_closed_idle_connection_is_not_used(world: Any) -> None:
    """A connection that the target closed while it was idle is forgotten."""
    world.idle_connection().close()
    world.eventually(lambda: world.gateway.plane.pools["up"].idle == 0)
    agent = world.get("/c/up/again")
    target = world.upstream.accept()
    assert target.head().first == "GET /again HTTP/1.1"
    target.send(OK + "Content-Length: 0\r\n\r\n")
    assert agent.response()[0].status == 200


def test_lost_race_is_repeated_where_it_is_safe(world: Any) -> None:
    """A GET that meets a close on a kept connection goes over a new one; it stays one exchange."""
    idle = world.idle_connection()
    agent = world.get("/c/up/again")
    idle.head()
    idle.close()
    target = world.upstream.accept()
    assert target.head().first == "GET /again HTTP/1.1"
    target.send(OK + "Content-Length: 2\r\n\r\nok")
    assert agent.response()[1] == b"ok"
    assert len(world.recorder.ended(2)) == 2


def test_lost_race_is_not_repeated_where_it_is_not_safe(world: Any) -> None:
    """A POST may have been acted on: it is 502 and not sent again."""
    idle = world.idle_connection()
    agent = world.ask(HEAD + "Content-Length: 2\r\n\r\nhi")
    idle.head()
    idle.read(2)
    idle.close()
    assert agent.response()[0].status == 502
    assert world.upstream.untouched()


def test_new_connection_that_fails_is_not_repeated(world: Any) -> None:
    """Only the race with an idle close is tried again, not a target that dies on every request."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.close()
    assert agent.response()[0].status == 502
    assert world.upstream.untouched()


def test_slow_target_holds_the_agent_back(world: Any) -> None:
    """While the target does not read, only a bounded part of a 64 MiB request leaves the agent."""
    agent = world.gateway.connect()
    before = psutil.Process().memory_info().rss
    thread = agent.flood(HEAD + f"Content-Length: {64 * MIB}\r\n\r\n", mib=64)
    target = world.upstream.accept()
    target.head()
    thread.join(0.5)
    assert thread.is_alive(), "the agent could send everything: nothing holds it back"
    (record,) = world.recorder.records
    assert sum(map(len, record.pieces)) < 16 * MIB
    assert psutil.Process().memory_info().rss - before < 32 * MIB
    left = 64 * MIB - len(target.pending)
    while left:
        record.pieces.clear()
        left -= len(target.sock.recv(MIB))
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204


def test_target_that_never_reads_is_504(make_world: Any) -> None:
    """A request that the target does not take ends after `write`."""
    world = make_world(timeouts={"write": 0.3})
    agent = world.gateway.connect()
    thread = agent.flood(HEAD + f"Content-Length: {8 * MIB}\r\n\r\n", mib=8)
    world.upstream.accept().head()
    assert agent.response()[0].status == 504
    agent.close(reset=True)
    thread.join(20)
