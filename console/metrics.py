"""What a console tells about itself. The names are one list, here; no label holds anything of a request.

tacho_console_pending                        approvals that wait, as the log says
tacho_console_log_age_seconds                how old this console's view of the log is
tacho_console_ignored_events                 events on the log that are not signed with our key
tacho_console_sessions                       people who are logged in
tacho_console_logins_total{method,result}    `ok` or `refused`
tacho_console_decisions_total{verdict,result}  `counted`, `void` or `unknown`
tacho_console_webhooks_total{result}         `sent`, `failed` or `dropped`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tachograph.operations.answers import Readiness

__all__ = ["GAUGES", "Metrics"]

GAUGES = {
    "tacho_console_pending": "Approvals that wait for people.",
    "tacho_console_log_age_seconds": "How old the view of the approvals log is.",
    "tacho_console_ignored_events": "Events that are not signed with our key.",
    "tacho_console_sessions": "People who are logged in.",
}


class Metrics(Collector):
    """Counts, and gauges that are asked for when somebody looks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges: Callable[[], dict[str, float]] = dict
        self.problem: Callable[[], str] = lambda: "it is starting"
        told = self.registry
        self.logins = Counter("tacho_console_logins", "Logins", ("method", "result"), registry=told)
        self.decisions = Counter("tacho_console_decisions", "Decisions", ("verdict", "result"), registry=told)
        self.webhooks = Counter("tacho_console_webhooks", "Messages", ("result",), registry=told)
        self.registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self.gauges().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)

    def readiness(self) -> Readiness:
        """What is missing, if anything."""
        return Readiness(self.problem())
