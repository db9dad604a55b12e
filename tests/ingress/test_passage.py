"""One admitted exchange, both ways, seen from both of its ends and from its record."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

HEAD = "POST /c/up/ HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: good\r\n"
OK = "HTTP/1.1 200 OK\r\n"


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
    with contextlib.suppress(ConnectionError):  # the gateway need not read all of it
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
