"""What the sealing worker counts, and that every metric is described."""

from __future__ import annotations

from prometheus_client import generate_latest

from tachograph.processors.sealing.metrics import Metrics


def test_every_metric_stands_in_the_docstring() -> None:
    """The names that are exposed are the names that are described."""
    metrics = Metrics()
    metrics.size.labels(0).set(1)
    names = {
        line.split()[2]
        for line in generate_latest(metrics.registry).decode().splitlines()
        if line.startswith("# TYPE") and not line.split()[2].endswith("_created")
    }
    described = {
        line.split("{")[0].split()[0] for line in str(Metrics.__doc__).splitlines() if "tacho_" in line
    }
    assert names == described
