"""The server, spoken to as ASGI; its clock stands still unless it waits."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tachograph.forensics.replay.recorded import Body, Request
from tachograph.forensics.replay.server import MAX_BODY_BYTES, BrokenOff, Came, ReplayServer
from tachograph.forensics.replay.tape import Tape


def mask(came: Came) -> Request:
    """Nothing is masked here, which a test of the real masking does."""
    path, _, query = came.target.partition("?")
    body = Body(came.body.decode())
    return Request("u", came.connection, "http", came.method, path, query, came.headers, body)


class Client:
    """One server on a clock of its own, and requests to it."""

    def __init__(self, exchanges: Any, **options: Any) -> None:
        self.now = 0.0
        self.told: list[tuple[Request, Any]] = []
        self.server = ReplayServer(
            Tape(exchanges),
            mask,
            hosts={"own.test": "target"},
            told=lambda *what: self.told.append(what),
            clock=lambda: self.now,
            sleep=self._sleep,
            **options,
        )

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds

    async def ask(
        self, path: str = "/c/target/things", body: bytes = b"", method: str = "POST", host: str = "replay:1"
    ) -> tuple[int, dict[bytes, bytes], bytes, list[float]]:
        """Status, headers, body, and when each message was sent."""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", host.encode()), (b"content-type", b"application/json")],
        }
        sent: list[tuple[dict[str, Any], float]] = []
        came = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(came)

        async def send(message: Any) -> None:
            sent.append((message, self.now))

        try:
            await self.server(scope, receive, send)
        finally:
            start, *rest = [message for message, _ in sent]
            self.data = b"".join(message.get("body", b"") for message in rest)
            self.open = not rest or rest[-1].get("more_body", False)
        return start["status"], dict(start["headers"]), self.data, [at for _, at in sent]


async def test_a_recorded_request_is_answered_as_it_was(recording: Any) -> None:
    """Under the path of the gateway, in the time that it took."""
    recording.request(b'{"a":1}').response(
        b'{"b":2}', pieces=[(3, 5_000), (4, 9_000)], times=(1_000, 2_000, 9_000)
    )
    client = Client(recording.exchanges)
    status, headers, body, times = await client.ask(body=b'{"a": 1}')
    assert (status, body) == (200, b'{"b":2}')
    assert headers[b"content-type"] == b"application/json"
    assert times == pytest.approx([0.001, 0.004, 0.008, 0.008])


async def test_fast_waits_for_nothing(recording: Any) -> None:
    """Everything comes at once."""
    recording.request().response(b"{}")
    client = Client(recording.exchanges, fast=True)
    status, headers, _, times = await client.ask()
    assert status == 200
    assert headers[b"content-length"] == b"2"
    assert set(times) == {0.0}


async def test_a_host_of_its_own_names_the_connection(recording: Any) -> None:
    """As at the gateway."""
    recording.request(line=("GET", "/things?x=1"), headers=()).response(b"{}")
    client = Client(recording.exchanges)
    assert (await client.ask("/things?x=1", method="GET", host="own.test:80"))[0] == 200


async def test_a_different_request_is_refused_and_reported(recording: Any) -> None:
    """With its difference, masked."""
    recording.request(b'{"a":1}').response(b"{}")
    client = Client(recording.exchanges)
    status, headers, body, _ = await client.ask(body=b'{"a":2}')
    assert status == 409
    assert headers[b"content-type"] == b"application/problem+json"
    assert orjson.loads(body)["differences"] == ["body.a: [-1-]{+2+}"]
    assert len(client.told) == 1


async def test_what_nobody_recorded_is_refused(recording: Any) -> None:
    """Another connection, and a path outside all of them."""
    recording.request().response(b"{}")
    client = Client(recording.exchanges)
    assert (await client.ask("/c/other/things"))[0] == 409
    assert (await client.ask("/favicon.ico", method="GET"))[0] == 409


async def test_requests_side_by_side_are_each_answered_once(recording: Any) -> None:
    """Whatever their order."""
    for number in range(5):
        recording.request(b"%d" % number).response(b'{"n":%d}' % number)
    clients = Client(recording.exchanges, fast=True)

    async def ask(number: int) -> bytes:
        client = Client.__new__(Client)
        client.__dict__ = dict(clients.__dict__)
        return (await client.ask(body=b"%d" % number))[2]

    found = await asyncio.gather(*(ask(number) for number in (3, 1, 4, 0, 2)))
    assert found == [b'{"n":%d}' % number for number in (3, 1, 4, 0, 2)]


async def test_an_answer_that_broke_off_ends_the_connection(recording: Any) -> None:
    """After what had come."""
    recording.request().response(b"half", error="upstream-reset")
    client = Client(recording.exchanges)
    with pytest.raises(BrokenOff):
        await client.ask()
    assert client.data == b"half"
    assert client.open


async def test_a_stream_that_the_agent_left_stays_open_until_it_leaves(recording: Any) -> None:
    """As an MCP client's GET does."""
    recording.request().response(
        b"data: 1\n\n", headers=[("Content-Type", "text/event-stream")], error="client-gone"
    )
    client = Client(recording.exchanges)
    await client.ask()
    assert client.data == b"data: 1\n\n"
    assert client.open


async def test_head_and_204_have_no_body(made: Any) -> None:
    """Whatever is on record."""
    exchange = made.exchange(method="HEAD")
    nothing = replace(made.exchange(path="/none"), response=replace(exchange.response, status=204))
    client = Client([exchange, nothing], fast=True)
    assert (await client.ask(method="HEAD"))[2] == b""
    status, headers, body, _ = await client.ask("/c/target/none")
    assert (status, body) == (204, b"")
    assert b"content-length" not in headers


async def test_a_body_beyond_all_bounds_is_refused(recording: Any) -> None:
    """Before it is masked."""
    recording.request().response(b"{}")
    client = Client(recording.exchanges)
    assert (await client.ask(body=bytes(MAX_BODY_BYTES + 1)))[0] == 413


async def test_only_http_is_served() -> None:
    """There is no other protocol to replay."""
    with pytest.raises(RuntimeError, match="expected http"):
        await Client([]).server({"type": "websocket"}, None, None)  # type: ignore[arg-type]
