"""One admitted exchange, both ways, seen from both of its ends."""

from __future__ import annotations

from typing import Any


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
