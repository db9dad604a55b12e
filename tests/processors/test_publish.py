"""Publishing: a ticket is finished by its deliveries, and by nothing else."""

import asyncio
from typing import Any

import pytest

from tachograph.processors import publish
from tachograph.processors.ledger import Ledger
from tachograph.processors.publish import Publisher

BOUND_S = 60.0


def never(error: BaseException) -> None:
    raise AssertionError(error)


@pytest.mark.engines
async def test_deliveries_finish_tickets(site: Any) -> None:
    """After the drain everything is on the topic, in order, and the ledger has moved past it."""
    publisher = Publisher({"bootstrap.servers": site.bootstrap}, on_fatal=never)
    publisher.start()
    ledger = Ledger(0, 0)
    for offset in range(200):
        ticket = ledger.begin(offset)
        publisher.send(ticket, site.topics.masked, b"key", b"%d" % offset, [("uid", str(offset))])
        ticket.close()
        await publisher.room()
    async with asyncio.timeout(BOUND_S):
        await publisher.drained()
    publisher.stop()
    assert (ledger.resume, publisher.in_flight, publisher.in_flight_bytes) == (200, 0, 0)
    got = await asyncio.to_thread(site.read, site.topics.masked, lambda messages: len(messages) >= 200)
    assert [message.value() for message in got] == [b"%d" % offset for offset in range(200)]


@pytest.mark.engines
async def test_the_window_is_bounded(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound `room` waits for deliveries."""
    monkeypatch.setattr(publish, "MAX_IN_FLIGHT", 10)
    publisher = Publisher({"bootstrap.servers": site.bootstrap}, on_fatal=never)
    publisher.start()
    ledger = Ledger(0, 0)
    async with asyncio.timeout(BOUND_S):
        for offset in range(100):
            ticket = ledger.begin(offset)
            publisher.send(ticket, site.topics.masked, b"key", b"value", [])
            ticket.close()
            assert publisher.in_flight <= 10
            await publisher.room()
        await publisher.drained()
    publisher.stop()


@pytest.mark.engines
async def test_whether_kafka_answers(
    site: Any, unused_tcp_port_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is there answers; where there is none the question ends within its bound."""
    monkeypatch.setattr(publish, "PROBE_S", 0.3)
    nowhere = {"bootstrap.servers": f"127.0.0.1:{unused_tcp_port_factory()}"}
    assert not Publisher(nowhere, on_fatal=never).reachable(site.topics.masked)
    monkeypatch.setattr(publish, "PROBE_S", BOUND_S)
    assert Publisher({"bootstrap.servers": site.bootstrap}, on_fatal=never).reachable(site.topics.masked)


async def test_what_kafka_does_not_take_is_fatal(
    unused_tcp_port_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that librdkafka gives up ends the work; its record stays uncommitted."""
    monkeypatch.setattr(publish, "DELIVERY_TIMEOUT_S", 1)
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def fatal(error: BaseException) -> None:
        if not failed.done():
            failed.set_result(error)

    settings = {"bootstrap.servers": f"127.0.0.1:{unused_tcp_port_factory()}", "log_level": 0}
    publisher = Publisher(settings, on_fatal=fatal)
    publisher.start()
    ledger = Ledger(0, 0)
    ticket = ledger.begin(0)
    publisher.send(ticket, "nowhere", b"key", b"a secret value", [])
    ticket.close()
    async with asyncio.timeout(BOUND_S):
        error = await failed
    publisher.stop()
    assert "not delivered" in str(error)
    assert "secret" not in str(error)
    assert ledger.resume == 0
