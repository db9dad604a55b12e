"""The names that dashboards and alerts rely on."""

from tachograph.ingress import metrics
from tachograph.ingress.metrics import APPROVAL_GAUGES, GAUGES, REGISTRY_GAUGES, Metrics


def test_every_name_stands_in_the_list() -> None:
    """What is exported is what the module's docstring lists, and nothing else."""
    made = Metrics()
    made.watch(lambda: dict.fromkeys(GAUGES, 1.0))
    made.watch(lambda: dict.fromkeys(APPROVAL_GAUGES, 1.0), APPROVAL_GAUGES)
    made.watch(lambda: dict.fromkeys(REGISTRY_GAUGES, 1.0), REGISTRY_GAUGES)
    made.exchange_ended("model", None)
    made.exchange_ended(None, "unauthenticated")
    made.malformed()
    made.durable(0.001)
    families = list(made.registry.collect())
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    listed = {
        line.split("{")[0].split()[0]
        for line in (metrics.__doc__ or "").splitlines()
        if line.startswith("tacho_")
    }
    assert exported == listed


def test_outcomes_are_counted_by_connection() -> None:
    """Good and refused exchanges are told apart; no connection is a dash."""
    made = Metrics()
    made.exchange_ended("model", None)
    made.exchange_ended("model", "upstream-timeout")
    made.exchange_ended(None, "unknown-connection")
    samples = {
        (sample.labels["connection"], sample.labels["outcome"])
        for family in made.registry.collect()
        for sample in family.samples
        if sample.name == "tacho_ingress_exchanges_total"
    }
    assert samples == {("model", "ok"), ("model", "upstream-timeout"), ("-", "unknown-connection")}
