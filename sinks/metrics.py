"""What a sink tells about itself: counts and readiness, over HTTP where the configuration names an address.

No label holds anything of a record. The names are one list, here:
  tacho_sink_documents_total{result}   created equal stub refused buried: where each record ended;
                                       checkpoint: messages of the checkpoints topic
  tacho_sink_equivocations_total       two contents under one identity; alert on any
  tacho_sink_retries_total{reason}     calls or items tried again
  tacho_sink_skipped_total             records that retention deleted before they were read; alert on any
  tacho_sink_unacknowledged            records read and not yet settled
  tacho_sink_lag{partition}            records between the last one read and the partition's end
  tacho_sink_paused                    1 while the partitions pause because OpenSearch does not keep up
  tacho_sink_call_seconds              how long a batch took, retries included
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tachograph.operations.answers import Readiness
from tachograph.sinks.record import Record

__all__ = ["STUCK_SECONDS", "Metrics"]

log = structlog.get_logger(__name__)

STUCK_SECONDS = 30.0
"""Retrying for longer than this without one success is not ready."""


class Metrics:
    """Counts, and the truth about readiness. Thread-safe; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._started = False
        self.registry = CollectorRegistry()
        kept = self.registry
        self._documents = Counter("tacho_sink_documents", "Records settled", ["result"], registry=kept)
        self._equivocations = Counter("tacho_sink_equivocations", "Two contents, one identity", registry=kept)
        self._retries = Counter("tacho_sink_retries", "Tried again", ["reason"], registry=kept)
        self._skipped = Gauge("tacho_sink_skipped_total", "Deleted before they were read", registry=kept)
        self._unacknowledged = Gauge("tacho_sink_unacknowledged", "Read, not settled", registry=kept)
        self._lag = Gauge("tacho_sink_lag", "Records behind the end", ["partition"], registry=kept)
        self._paused = Gauge("tacho_sink_paused", "Partitions pause", registry=kept)
        self.call_seconds = Histogram("tacho_sink_call_seconds", "One batch", registry=kept)

    def settled(self, result: str, count: int) -> None:
        """Records that are where they belong."""
        if count:
            self._documents.labels(result).inc(count)
            with self._lock:
                self._failing_since = None

    def retrying(self, reason: str) -> None:
        """Something did not work and is tried again."""
        self._retries.labels(reason).inc()
        with self._lock:
            first = self._failing_since is None
            self._failing_since = self._failing_since if self._failing_since is not None else self._clock()
        if first:
            log.warning("OpenSearch does not take documents; trying again", reason=reason)

    def equivocation(self, record: Record) -> None:
        """Two contents claim one identity: somebody must look."""
        self._equivocations.inc()
        message = record.message
        log.error(
            "EQUIVOCATION: another document stands under this identity; the new one is in the dead letter",
            uid=record.uid,
            index=record.index,
            partition=message.partition,
            offset=message.offset,
        )

    def observe(self, *, unacknowledged: int, paused: bool, skipped: int, lag: dict[int, int]) -> None:
        """The main loop's state, now and then."""
        self._unacknowledged.set(unacknowledged)
        self._paused.set(int(paused))
        self._skipped.set(skipped)
        for partition, count in lag.items():
            self._lag.labels(str(partition)).set(count)

    def started(self) -> None:
        """Both dependencies answered and the group is joined."""
        self._started = True

    def readiness(self) -> Readiness:
        """Whether documents are getting through."""
        with self._lock:
            failing = self._failing_since
        if not self._started:
            return Readiness("starting: Kafka or OpenSearch is awaited")
        failed = 0.0 if failing is None else self._clock() - failing
        if failed >= STUCK_SECONDS:
            return Readiness(f"OpenSearch has not taken a document for {failed:.0f} s")
        return Readiness()
