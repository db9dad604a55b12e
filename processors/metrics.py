"""What the processor counts, and nothing that could hold a payload: labels are closed sets of our words."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["Metrics"]


class Metrics:
    """One registry a process.

    tacho_processor_records_total               raw records finished with
    tacho_processor_events_total                events sent to the masked topic
    tacho_processor_withheld_total{reason}      bodies withheld: masked content that could not be had
    tacho_processor_dead_letters_total{reason}  records sent to the dead letter
    tacho_processor_raw_lost_total              raw records deleted by retention before they were read
    tacho_processor_key_waits_total             records whose key came later than they did
    tacho_processor_recalled_total              requests read again, as their answer came after a restart
    tacho_processor_open_exchanges              requests whose answer is awaited
    tacho_processor_stopped_partitions          partitions that stand still because a canary was readable
    tacho_processor_in_flight                   messages sent and not yet acknowledged
    tacho_processor_held_bodies                 long bodies waiting for their end
    tacho_processor_held_bytes                  ... and their bytes
    tacho_processor_lag{partition}              raw records not yet done
    tacho_processor_behind_seconds{partition}   age of the record last taken, while there are more
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = self._counter("records", "Raw records finished with")
        self.events = self._counter("events", "Events sent to the masked topic")
        self.withheld = self._counter("withheld", "Bodies withheld", "reason")
        self.dead_letters = self._counter("dead_letters", "Records sent to the dead letter", "reason")
        self.raw_lost = self._counter("raw_lost", "Raw records deleted by retention before they were read")
        self.key_waits = self._counter("key_waits", "Records whose key came later than they did")
        self.recalled = self._counter("recalled", "Requests read again from the raw topic")
        self.open_exchanges = self._gauge("open_exchanges", "Requests whose answer is awaited")
        self.stopped = self._gauge("stopped_partitions", "Partitions that stand still for a leak")
        self.in_flight = self._gauge("in_flight", "Messages sent and not yet acknowledged")
        self.held_bodies = self._gauge("held_bodies", "Long bodies waiting for their end")
        self.held_bytes = self._gauge("held_bytes", "Bytes of long bodies waiting for their end")
        self.lag = self._gauge("lag", "Raw records not yet done", "partition")
        self.behind = self._gauge("behind_seconds", "Age of the record last taken", "partition")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"tacho_processor_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"tacho_processor_{name}", text, labels, registry=self.registry)
