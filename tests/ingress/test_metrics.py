"""The names that dashboards and alerts rely on."""

from tachograph.ingress import metrics
from tachograph.ingress.admission import Effect
from tachograph.ingress.metrics import APPROVAL_GAUGES, GAUGES, REGISTRY_GAUGES, Metrics
from tachograph.schemas.connection import Connection

MODEL = Connection(name="model", protocol="llm", upstream="http://x")


def test_every_name_stands_in_the_list() -> None:
    """What is exported is what the module's docstring lists, and nothing else."""
    made = Metrics()
    made.watch(lambda: dict.fromkeys(GAUGES, 1.0))
    made.watch(lambda: dict.fromkeys(APPROVAL_GAUGES, 1.0), APPROVAL_GAUGES)
    made.watch(lambda: dict.fromkeys(REGISTRY_GAUGES, 1.0), REGISTRY_GAUGES)
    made.exchange_ended("model", None)
    made.exchange_ended(None, "unauthenticated")
    made.decided(MODEL, "request", Effect.ALLOW)
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


def test_decisions_are_counted_by_connection_and_protocol() -> None:
    """What was decided on, and how; nothing that an agent chooses is a label."""
    made = Metrics()
    for on, effect in (("request", Effect.ALLOW), ("tool_use", Effect.DENY), ("tool_use", Effect.DENY)):
        made.decided(MODEL, on, effect)
    labels = {"connection": "model", "protocol": "llm"}
    name = "tacho_ingress_decisions_total"
    assert made.registry.get_sample_value(name, {**labels, "on": "request", "effect": "allow"}) == 1
    assert made.registry.get_sample_value(name, {**labels, "on": "tool_use", "effect": "deny"}) == 2
