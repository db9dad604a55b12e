"""What the sink tells about itself."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import generate_latest

from tachograph.sinks import metrics as module
from tachograph.sinks.metrics import STUCK_SECONDS, Metrics
from tachograph.sinks.record import Message, Record


def test_ready_is_the_truth_about_documents_getting_through() -> None:
    """Not before the start, not after a long time of retrying, again after one success."""
    now = [0.0]
    metrics = Metrics(lambda: now[0])
    assert metrics.readiness().refusing
    metrics.started()
    assert not metrics.readiness().refusing
    metrics.retrying("unavailable")
    now[0] = STUCK_SECONDS - 1
    metrics.retrying("unavailable")
    assert not metrics.readiness().refusing
    now[0] = STUCK_SECONDS
    assert metrics.readiness().refusing
    metrics.settled("equal", 1)
    assert not metrics.readiness().refusing


def test_every_documented_metric_is_there_and_no_other(message: Callable[..., Message]) -> None:
    """The list in the module is what Prometheus gets."""
    metrics = Metrics(lambda: 0.0)
    metrics.settled("created", 3)
    metrics.settled("equal", 0)
    metrics.retrying("unavailable")
    metrics.equivocation(Record(message(), "u", "request", "i"))
    metrics.observe(unacknowledged=5, paused=True, skipped=2, lag={1: 7})
    text = generate_latest(metrics.registry).decode()
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
