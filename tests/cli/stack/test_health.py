"""health.py: an engine serves when it answers the way its clients ask."""

import socket

import httpx
import pytest

from tachograph.cli.stack import health, ports
from tachograph.cli.stack.engines import Endpoints
from tachograph.cli.stack.processes import wait_until

WAIT = 60.0
"""While another test makes an index, its first shard is not there yet, and the whole cluster is red."""


def test_a_closed_port_does_not_serve() -> None:
    """Neither engine; the answer comes at once."""
    port = ports.choose(0, set())
    assert not health.KafkaHealth(port)()
    assert not health.OpenSearchHealth(port)()


@pytest.mark.parametrize(
    ("answer", "serves"),
    [
        (httpx.Response(200, json={"status": "green"}), True),
        (httpx.Response(200, json={"status": "yellow"}), True),
        (httpx.Response(200, json={"status": "red"}), False),
        (httpx.Response(408, json={"status": "red"}), False),
        (httpx.Response(503), False),
    ],
)
def test_a_node_serves_when_its_primaries_are_there(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, serves: bool
) -> None:
    """Yellow is as good as one node gets."""
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answer)
    assert health.OpenSearchHealth(9200)() is serves


def test_a_listener_that_is_no_broker_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open port alone is not Kafka."""
    monkeypatch.setattr(health, "_ASK_TIMEOUT", 0.2)
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        assert not health.KafkaHealth(server.getsockname()[1])()


@pytest.mark.engines
def test_the_real_engines_serve(stack: Endpoints) -> None:
    """Both questions get their answer."""
    assert wait_until(health.KafkaHealth(int(stack.bootstrap_servers.rpartition(":")[2])), WAIT)
    assert wait_until(health.OpenSearchHealth(int(stack.opensearch_url.rpartition(":")[2])), WAIT)
