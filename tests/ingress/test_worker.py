"""The data plane of one process comes up, goes down, and leaves no record open."""

from __future__ import annotations

from typing import Any


def test_stop_lets_exchanges_end(world: Any) -> None:
    """What is under way when the stop begins is answered, with `Connection: close`; nobody new is taken."""
    agent, idle = world.get(), world.gateway.connect()
    target = world.upstream.accept()
    target.head()
    world.eventually(lambda: len(world.gateway.plane.agents.connections) == 2)
    future = world.gateway.begin(world.gateway.plane.stop(5))
    assert idle.ended()
    target.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    head, body = agent.response()
    assert (head.get("connection"), body) == ("close", b"ok")
    future.result(30)
    assert world.recorder.ended()[0].complete is True


def test_stop_ends_what_does_not_end(world: Any) -> None:
    """A stream that goes on is cut when the time is over, and recorded as cut."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    agent.read_until(b"ok\r\n")
    world.gateway.begin(world.gateway.plane.stop(0.1)).result(30)
    assert agent.rest() == b""
    (record,) = world.recorder.ended()
    assert (record.complete, record.error.code, bytes(record.body)) == (False, "gateway-error", b"ok")
    assert target.ended()


def test_a_defect_is_a_500_and_not_the_end(world: Any) -> None:
    """An exception that nobody foresaw ends one exchange: refused, recorded, and the next one works."""
    credentials = world.gateway.credentials
    credentials.defect = True
    agent = world.get()
    head, body = agent.response()
    assert (head.status, b"gateway-error" in body) == (500, True)
    assert b"unforeseen" not in body
    assert world.recorder.ended()[0].error.code == "gateway-error"
    credentials.defect = False
    agent.send("GET /c/up/ HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: good\r\n\r\n")
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204
