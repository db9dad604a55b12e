"""What the sink tells about itself."""

from __future__ import annotations

import socket
from collections.abc import Callable

import httpx
from structlog.testing import capture_logs

from tachograph.schemas.config import Listen
from tachograph.sinks import metrics as module
from tachograph.sinks.metrics import STUCK_SECONDS, Metrics, serve
from tachograph.sinks.record import Message, Record


def get(url: str) -> tuple[int, str]:
    answer = httpx.get(url, timeout=10)
    return answer.status_code, answer.text


def test_ready_is_the_truth_about_documents_getting_through() -> None:
    """Not before the start, not after a long time of retrying, again after one success."""
    now = [0.0]
    metrics = Metrics(lambda: now[0])
    assert not metrics.ready
    metrics.started()
    assert metrics.ready
    metrics.retrying("unavailable")
    now[0] = STUCK_SECONDS - 1
    metrics.retrying("unavailable")
    assert metrics.ready
    now[0] = STUCK_SECONDS
    assert not metrics.ready
    metrics.settled("equal", 1)
    assert metrics.ready


def test_it_serves_metrics_health_and_readiness(message: Callable[..., Message]) -> None:
    """Over HTTP, at a port of its choice; every name of the documented list is there and no other."""
    metrics = Metrics(lambda: 0.0)
    metrics.settled("created", 3)
    metrics.settled("equal", 0)
    metrics.retrying("unavailable")
    metrics.equivocation(Record(message(), "u", "request", "i"))
    metrics.observe(unacknowledged=5, paused=True, skipped=2, lag={1: 7})
    url = serve(Listen(port=0), metrics)
    status, text = get(f"{url}/metrics")
    assert status == 200
    assert 'tacho_sink_documents_total{result="created"} 3.0' in text
    assert "tacho_sink_equivocations_total 1.0" in text
    assert "tacho_sink_unacknowledged 5.0" in text
    assert "tacho_sink_paused 1.0" in text
    assert "tacho_sink_skipped_total 2.0" in text
    assert 'tacho_sink_lag{partition="1"} 7.0' in text
    documented = {
        word.split("{")[0] for word in (module.__doc__ or "").split() if word.startswith("tacho_sink_")
    }
    served = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {name for name in served if not name.endswith("_created")} == documented
    assert get(f"{url}/healthz") == (200, "alive\n")
    assert get(f"{url}/readyz")[0] == 503
    metrics.started()
    assert get(f"{url}/readyz?x=1") == (200, "ready\n")
    assert get(f"{url}/")[0] == 404


def test_a_port_in_use_is_said_and_survived() -> None:
    """Documents matter more than their count; the log names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        assert serve(Listen(port=taken.getsockname()[1]), Metrics(lambda: 0.0)) is None
    assert "sink.metrics" in logs[0]["event"]
