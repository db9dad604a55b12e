"""What operators are told."""

from http import HTTPStatus

import httpx
import pytest

from tachograph.console.errors import OperatorError
from tachograph.console.metrics import GAUGES, Metrics, serve
from tachograph.schemas.listen import Listen


def test_readiness_counts_and_gauges() -> None:
    """Not ready before the log was read; every documented gauge is there."""
    metrics = Metrics()
    assert metrics.answer("/readyz")[0] == HTTPStatus.SERVICE_UNAVAILABLE
    metrics.problem = lambda: ""
    metrics.gauges = lambda: dict.fromkeys(GAUGES, 1.0)
    metrics.decisions.labels("approve", "counted").inc()
    assert metrics.answer("/readyz")[0] == HTTPStatus.OK
    assert metrics.answer("/healthz")[2] == b"alive\n"
    assert metrics.answer("/else")[0] == HTTPStatus.NOT_FOUND
    text = metrics.answer("/metrics")[2].decode()
    assert all(name in text for name in GAUGES)
    assert 'tacho_console_decisions_total{result="counted",verdict="approve"} 1.0' in text


def test_it_is_served_and_a_taken_port_is_said() -> None:
    """On an address of its own."""
    url = serve(Listen(port=0), Metrics())
    assert httpx.get(f"{url}/healthz").text == "alive\n"
    with pytest.raises(OperatorError):
        serve(Listen(port=int(url.rpartition(":")[2])), Metrics())
