"""One admitted exchange, both ways, seen from both of its ends and from its record."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil
import pytest

HEAD = "POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n"
OK = "HTTP/1.1 200 OK\r\n"
MIB = 1 << 20


def test_request_and_response_pass_and_are_recorded(world: Any) -> None:
    """A request reaches its target, the answer reaches the agent, and the record holds both."""
    agent = world.ask(
        "POST /c/up/v1/x?a=1 HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\nContent-Length: 5\r\n\r\nhello"
    )
    target = world.upstream.accept()
    head = target.head()
    assert head.first == "POST /v1/x?a=1 HTTP/1.1"
    assert head.all("host") == [f"127.0.0.1:{world.upstream.port}"]
    assert target.read(5) == b"hello"
    target.send("HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok")
    head, body = agent.response()
    assert (head.first, head.get("x-a"), body) == ("HTTP/1.1 201 Made", "b", b"ok")
    (record,) = world.recorder.ended()
    assert record.pieces == [b"hello"]
    assert record.request_end is True
    assert (record.status, bytes(record.body), record.origin) == (201, b"ok", "upstream")
    assert (record.error, record.complete) == (None, True)
    assert record.head.target == "/v1/x?a=1"


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


def test_connections_to_the_target_are_kept(world: Any) -> None:
    """A second request, from another agent, goes over the first one's connection."""
    first = world.get("/c/up/1")
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Content-Length: 0\r\n\r\n")
    first.response()
    second = world.get("/c/up/2")
    assert target.head().first == "GET /2 HTTP/1.1"
    target.send(OK + "Content-Length: 0\r\n\r\n")
    assert second.response()[0].status == 200


# --- bodies of requests ---


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


def test_malformed_chunk_in_mid_body_ends_the_exchange(world: Any) -> None:
    """A chunk that breaks the grammar is 400 for the agent and a cut request for the target."""
    agent = world.ask(HEAD + "Transfer-Encoding: chunked\r\n\r\n40000\r\n" + "x" * 0x40000 + "\r\n")
    target = world.upstream.accept()
    target.head()
    target.read(1000)
    agent.send("zz\r\n")
    assert agent.response()[0].status == 400
    with pytest.raises((EOFError, ConnectionResetError)):
        target.read(1 << 30)
    (record,) = world.recorder.ended()
    assert (record.request_end, record.error.code) == (False, "bad-request")


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


# --- bodies of responses ---


def test_event_stream_arrives_event_by_event(world: Any) -> None:
    """Each event is at the agent before the next one was sent, within 20 ms."""
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
    assert sorted(waits)[10] < 0.02
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


# --- ends that are not clean ---


@pytest.mark.parametrize(
    "start",
    [
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "Transfer-Encoding: chunked\r\n\r\na\r\nhello",
    ],
)
@pytest.mark.parametrize("reset", [True, False])
def test_target_dying_in_mid_body_is_never_a_clean_end(world: Any, start: str, reset: bool) -> None:
    """The agent gets what came, then a cut: no last chunk, too few bytes; the record says so."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + start)
    agent.head()
    agent.read_until(b"hello")
    target.close(reset=reset)
    assert b"0\r\n\r\n" not in agent.rest()
    (record,) = world.recorder.ended()
    assert (record.complete, record.error.code, bytes(record.body)) == (False, "upstream-reset", b"hello")


def test_reset_body_for_http_1_0_is_a_reset(world: Any) -> None:
    """Where only the connection's end delimits the body, a cut is an error and not an end."""
    agent = world.ask("GET /c/up/ HTTP/1.0\r\nX-Tacho-Key: good\r\n\r\n")
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    agent.head()
    agent.read(5)
    target.close()
    with pytest.raises(ConnectionResetError):
        agent.rest()


def test_agent_leaving_cancels_the_target(world: Any) -> None:
    """When the agent goes, the target's connection ends at once and the record still closes."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    agent.head()
    agent.read(5)
    agent.close()
    assert target.ended()
    (record,) = world.recorder.ended()
    assert (record.complete, record.error.code, bytes(record.body)) == (False, "client-gone", b"hello")
    assert world.gateway.plane.pools["up"].open == 0


def test_agent_leaving_before_the_answer_cancels_the_target(world: Any) -> None:
    """Nobody waits for an answer that nobody wants."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    agent.close()
    assert target.ended()
    (record,) = world.recorder.ended()
    assert (record.status, record.complete, record.error.code) == (0, False, "client-gone")


def test_agent_leaving_in_mid_request_cancels_the_target(world: Any) -> None:
    """Half a request is not completed by the gateway."""
    agent = world.ask(HEAD + "Content-Length: 1000000\r\n\r\n" + "x" * 300_000)
    target = world.upstream.accept()
    target.head()
    target.read(1000)
    agent.close()
    with pytest.raises((EOFError, ConnectionResetError)):
        target.read(1 << 30)
    (record,) = world.recorder.ended()
    assert (record.request_end, record.error.code) == (False, "client-gone")


def test_agent_leaving_while_it_is_recorded_sends_nothing(world: Any) -> None:
    """An agent that left before its request was durable never reaches the target."""
    world.recorder.gate.clear()
    agent = world.get()
    world.eventually(lambda: world.recorder.records)
    agent.close()
    world.eventually(lambda: next(iter(world.gateway.plane.agents.connections)).gone)
    world.recorder.gate.set()
    assert world.recorder.ended()[0].error.code == "client-gone"
    assert world.upstream.untouched()


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        ("SSH-2.0-OpenSSH_9.2\r\n", "upstream-garbage"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "upstream-garbage"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "upstream-garbage"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "upstream-garbage"),
        ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "upstream-garbage"),
        ("HTTP/1.1 199 Odd\r\n\r\n", "upstream-garbage"),
        ("HTTP/1.1 200 OK\r\nX: " + "a" * 400_000, "upstream-garbage"),
        ("HTTP/1.1 200 OK\r\nX-A", "upstream-reset"),
        ("", "upstream-reset"),
    ],
)
def test_garbage_from_the_target_is_502(world: Any, garbage: str, code: str) -> None:
    """What is not HTTP never reaches the agent: it gets 502, and the record says why."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(garbage)
    target.close()
    head, body = agent.response()
    assert (head.status, head.get("content-type")) == (502, "application/problem+json")
    assert code.encode() in body
    (record,) = world.recorder.ended()
    assert (record.origin, record.status, record.error.code) == ("gateway", 502, code)


def test_garbage_in_mid_body_cuts(world: Any) -> None:
    """A broken chunk from the target is a cut for the agent."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
    agent.head()
    assert b"0\r\n\r\n" not in agent.rest()
    assert world.recorder.ended()[0].error.code == "upstream-garbage"


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
    world = make_world(timeouts={"read": 0.4})
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Transfer-Encoding: chunked\r\n\r\n")
    agent.head()
    for _ in range(8):
        target.send("2\r\n:\n\r\n")
        assert agent.read(7) == b"2\r\n:\n\r\n"
        time.sleep(0.1)
    target.send("0\r\n\r\n")
    assert agent.read(5) == b"0\r\n\r\n"


# --- repeated or not ---


def _idle_connection(world: Any) -> Any:
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send(OK + "Content-Length: 0\r\n\r\n")
    agent.response()
    return target


def test_closed_idle_connection_is_not_used(world: Any) -> None:
    """A connection that the target closed while it was idle is forgotten."""
    _idle_connection(world).close()
    world.eventually(lambda: world.gateway.plane.pools["up"].idle == 0)
    agent = world.get("/c/up/again")
    target = world.upstream.accept()
    assert target.head().first == "GET /again HTTP/1.1"
    target.send(OK + "Content-Length: 0\r\n\r\n")
    assert agent.response()[0].status == 200


def test_lost_race_is_repeated_where_it_is_safe(world: Any) -> None:
    """A GET that meets a close on a kept connection goes over a new one; it stays one exchange."""
    idle = _idle_connection(world)
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
    idle = _idle_connection(world)
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


def test_answer_that_was_not_asked_for_is_not_taken(world: Any) -> None:
    """Bytes on an idle connection close it; the next request's answer is its own."""
    idle = _idle_connection(world)
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


# --- memory ---


def _send_all(peer: Any, head: str, count: int) -> threading.Thread:
    block = b"x" * MIB

    def work() -> None:
        peer.send(head)
        for _ in range(count):
            peer.send(block)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_slow_agent_holds_the_target_back(world: Any) -> None:
    """While the agent does not read, only a bounded part of a 64 MiB response leaves the target."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    before = psutil.Process().memory_info().rss
    thread = _send_all(target, OK + f"Content-Length: {64 * MIB}\r\n\r\n", 64)
    head = agent.head()
    thread.join(0.5)
    assert thread.is_alive(), "the target could send everything: nothing holds it back"
    assert psutil.Process().memory_info().rss - before < 16 * MIB
    left = int(head.get("content-length")) - len(agent.pending)
    while left:
        left -= len(agent.sock.recv(MIB))
    thread.join()
    assert world.recorder.ended()[0].body_len == 64 * MIB


def test_slow_target_holds_the_agent_back(world: Any) -> None:
    """While the target does not read, only a bounded part of a 64 MiB request leaves the agent."""
    agent = world.gateway.connect()
    before = psutil.Process().memory_info().rss
    thread = _send_all(agent, HEAD + f"Content-Length: {64 * MIB}\r\n\r\n", 64)
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


def test_agent_that_never_reads_is_cut(make_world: Any) -> None:
    """A response that nobody takes ends after `write`, and the target is let go."""
    world = make_world(timeouts={"write": 0.3})
    world.get()
    target = world.upstream.accept()
    target.head()
    thread = _send_all(target, OK + f"Content-Length: {64 * MIB}\r\n\r\n", 1)
    thread.join(0.1)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        target.send(b"x" * (63 * MIB))
    (record,) = world.recorder.ended()
    assert (record.error.code, record.complete) == ("client-timeout", False)


def test_target_that_never_reads_is_504(make_world: Any) -> None:
    """A request that the target does not take ends after `write`."""
    world = make_world(timeouts={"write": 0.3})
    agent = world.gateway.connect()
    thread = _send_all(agent, HEAD + f"Content-Length: {8 * MIB}\r\n\r\n", 8)
    world.upstream.accept().head()
    assert agent.response()[0].status == 504
    agent.close(reset=True)
    thread.join(5)
