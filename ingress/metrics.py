"""What one ingress process counts, for Prometheus. All names stand in this file; no label holds a payload.

tacho_ingress_exchanges_total{connection,outcome}   ended exchanges; `outcome` is `ok` or an error code
tacho_ingress_decisions_total{connection,protocol,on,effect}
                                                    what policies decided: `on` is `request` or `tool_use`,
                                                    `effect` is `allow`, `deny` or `approval`
tacho_ingress_malformed_total                       what came in and was not HTTP; it has no record
tacho_ingress_durable_seconds                       from sealing a request's piece to its being durable
tacho_ingress_sessions_open                         strands that are open in this process
tacho_ingress_recorder_refusing                     1 while nothing new is admitted
tacho_ingress_keys_away                             1 while no data key can be wrapped: no session begins
tacho_ingress_spool_bytes                           in the spool's files and waiting for them
tacho_ingress_spool_max_bytes                       the spool's bound
tacho_ingress_kafka_connected                       1 while Kafka takes records
tacho_ingress_kafka_in_flight_bytes                 handed to the Kafka client, not acknowledged yet
tacho_ingress_kafka_delivered                       records acknowledged by Kafka since the start
tacho_ingress_kafka_refused                         records that went to the dead letter since the start
tacho_ingress_approvals_waiting                     requests that wait for people in this process
tacho_ingress_approvals_pending                     approvals that wait for people, as the log says
tacho_ingress_approvals_log_age_seconds             how old this process's view of the approvals log is
tacho_ingress_registry_version                      release of the registry in force; 0 is the file's own
tacho_ingress_registry_refused                      releases that could not be used, since the start
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tachograph.ingress.admission import Effect
from tachograph.schemas.connection import Connection

__all__ = ["APPROVAL_GAUGES", "GAUGES", "REGISTRY_GAUGES", "Metrics"]

GAUGES: Mapping[str, str] = {
    "tacho_ingress_sessions_open": "Strands that are open in this process.",
    "tacho_ingress_recorder_refusing": "1 while nothing new is admitted.",
    "tacho_ingress_keys_away": "1 while no data key can be wrapped: no session begins.",
    "tacho_ingress_spool_bytes": "Bytes in the spool's files and waiting for them.",
    "tacho_ingress_spool_max_bytes": "The spool's bound in bytes.",
    "tacho_ingress_kafka_connected": "1 while Kafka takes records.",
    "tacho_ingress_kafka_in_flight_bytes": "Bytes handed to the Kafka client, not acknowledged yet.",
    "tacho_ingress_kafka_delivered": "Records acknowledged by Kafka since the start.",
    "tacho_ingress_kafka_refused": "Records that went to the dead letter since the start.",
}
APPROVAL_GAUGES: Mapping[str, str] = {
    "tacho_ingress_approvals_waiting": "Requests that wait for people in this process.",
    "tacho_ingress_approvals_pending": "Approvals that wait for people, as the log says.",
    "tacho_ingress_approvals_log_age_seconds": "How old this process's view of the approvals log is.",
}
REGISTRY_GAUGES: Mapping[str, str] = {
    "tacho_ingress_registry_version": "Release of the registry in force; 0 is the configuration file's own.",
    "tacho_ingress_registry_refused": "Releases of the registry that could not be used, since the start.",
}
_DURABLE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The registry of one process and the counters that the engine turns."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._exchanges = Counter(
            "tacho_ingress_exchanges_total",
            "Ended exchanges.",
            ("connection", "outcome"),
            registry=self.registry,
        )
        self._outcomes: dict[tuple[str | None, str | None], Counter] = {}
        """Looked up once: both labels come from closed sets."""
        self._decisions = Counter(
            "tacho_ingress_decisions_total",
            "Decisions of the policies, by what was decided on.",
            ("connection", "protocol", "on", "effect"),
            registry=self.registry,
        )
        self._decided: dict[tuple[str, str, Effect], Counter] = {}
        """Looked up once: all labels come from closed sets."""
        self._malformed = Counter(
            "tacho_ingress_malformed_total", "What came in and was not HTTP.", registry=self.registry
        )
        self._durable = Histogram(
            "tacho_ingress_durable_seconds",
            "From sealing a request's piece to its being durable.",
            buckets=_DURABLE_BUCKETS,
            registry=self.registry,
        )

    def exchange_ended(self, connection: str | None, outcome: str | None) -> None:
        """`connection` is a registered name, None where there was none; `outcome` an error code or None."""
        counter = self._outcomes.get((connection, outcome))
        if counter is None:
            counter = self._exchanges.labels(connection or "-", outcome or "ok")
            self._outcomes[connection, outcome] = counter
        counter.inc()

    def decided(self, connection: Connection, on: Literal["request", "tool_use"], effect: Effect) -> None:
        """The policies decided; that people are asked is a decision too, what they say is another matter."""
        counter = self._decided.get((connection.name, on, effect))
        if counter is None:
            counter = self._decisions.labels(connection.name, connection.protocol.value, on, effect.value)
            self._decided[connection.name, on, effect] = counter
        counter.inc()

    def malformed(self) -> None:
        """Something came in that could not be parsed, so nothing but this count tells of it."""
        self._malformed.inc()

    def durable(self, seconds: float) -> None:
        """A piece of a request took so long to be durable."""
        self._durable.observe(seconds)

    def watch(self, read: Callable[[], Mapping[str, float]], names: Mapping[str, str] = GAUGES) -> None:
        """Ask for the gauges at each scrape; `read` gives a value for every one of the names."""
        self.registry.register(_Gauges(read, names))


class _Gauges(Collector):
    def __init__(self, read: Callable[[], Mapping[str, float]], names: Mapping[str, str]) -> None:
        self._read = read
        self._names = names

    def describe(self) -> Iterator[GaugeMetricFamily]:
        for name, text in self._names.items():
            yield GaugeMetricFamily(name, text)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        values = self._read()
        for name, text in self._names.items():
            yield GaugeMetricFamily(name, text, value=values[name])
