"""What the sealing worker counts; labels are partition numbers, anchors of the configuration, and results."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["Metrics"]


class Metrics:
    """One registry a process.

    tacho_sealing_leaves_total         leaves committed
    tacho_sealing_gaps_total           leaves that stand for records that were gone before they were sealed
    tacho_sealing_checkpoints_total    checkpoints signed and published
    tacho_sealing_faults_total         faults of Kafka, after each of which the logs are taken up again
    tacho_sealing_size{partition}      leaves of a log that this process holds
    tacho_sealing_anchors_total{anchor,result}
        checkpoints anchored, failed (it is down or refused), skipped (a newer one came); `anchor` is a
        witness's name, or `timestamp`
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leaves = self._counter("leaves", "Leaves committed")
        self.gaps = self._counter("gaps", "Leaves that stand for records that were gone")
        self.checkpoints = self._counter("checkpoints", "Checkpoints signed and published")
        self.faults = self._counter("faults", "Faults of Kafka")
        self.anchors = Counter(
            "tacho_sealing_anchors", "Checkpoints and anchors", ["anchor", "result"], registry=self.registry
        )
        self.size = Gauge("tacho_sealing_size", "Leaves of a log", ["partition"], registry=self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"tacho_sealing_{name}", text, registry=self.registry)
