"""What operators are told."""

from prometheus_client import generate_latest

from tachograph.console.metrics import GAUGES, Metrics


def test_readiness_counts_and_gauges() -> None:
    """Not ready before the log was read; every documented gauge is there."""
    metrics = Metrics()
    assert metrics.readiness().refusing == "it is starting"
    metrics.problem = lambda: ""
    metrics.gauges = lambda: dict.fromkeys(GAUGES, 1.0)
    metrics.decisions.labels("approve", "counted").inc()
    assert metrics.readiness().refusing == ""
    text = generate_latest(metrics.registry).decode()
    assert all(name in text for name in GAUGES)
    assert 'tacho_console_decisions_total{result="counted",verdict="approve"} 1.0' in text
