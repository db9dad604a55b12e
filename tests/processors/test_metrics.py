"""Metrics: the commented list is the list."""

import inspect

from tachograph.processors.metrics import Metrics


def test_the_docstring_lists_every_metric() -> None:
    """One commented list names all that is exported, and nothing else."""
    exported = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in Metrics().registry.collect()
    }
    lines = inspect.getdoc(Metrics) or ""
    listed = {line.split()[0].split("{")[0] for line in lines.splitlines() if line.startswith("tacho_")}
    assert exported == listed


def test_two_workers_in_one_process_do_not_share() -> None:
    """Each has a registry of its own."""
    first, second = Metrics(), Metrics()
    first.records.inc()
    assert second.registry.get_sample_value("tacho_processor_records_total") == 0
