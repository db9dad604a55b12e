"""The operators' address, served beside the work."""

import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from structlog.testing import capture_logs

from tachograph.operations.answers import Readiness
from tachograph.operations.errors import CannotListen
from tachograph.operations.thread import serve, serve_if_free
from tachograph.schemas.listen import Listen

WAIT_SECONDS = 20.0


def test_it_is_served_over_http_at_a_free_port() -> None:
    """Each question is answered with what is so when it is asked."""
    registry = CollectorRegistry()
    counter = Counter("tacho_x", "Anything", registry=registry)
    refusing = ["", "Kafka does not answer"]
    url = serve(Listen(port=0), registry, lambda: Readiness(refusing.pop(0)))
    counter.inc()
    with httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
        assert "tacho_x_total 1.0" in client.get("/metrics").text
        assert [client.get("/readyz").status_code for _ in range(2)] == [200, 503]


def test_a_taken_port_is_an_error_or_a_warning() -> None:
    """As the part chooses: records matter more than their count. The log names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        listen = Listen(port=taken.getsockname()[1])
        with pytest.raises(CannotListen):
            serve(listen, CollectorRegistry(), Readiness)
        assert serve_if_free(listen, CollectorRegistry(), Readiness, setting="sink.metrics") is None
    assert logs[0]["setting"] == "sink.metrics"
