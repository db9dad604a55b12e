"""The canary against real Kafka: a processor in service passes, one that masks nothing is caught."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from tachograph.processors.canary import Canary, CanaryMetrics
from tachograph.processors.canary_session import plant_session
from tachograph.processors.errors import BrokerFault
from tachograph.schemas.document import load_configuration

pytestmark = pytest.mark.engines
WAIT_S = 60.0


def canary(site: Any) -> tuple[Canary, CanaryMetrics]:
    path: Path = site.config()
    metrics = CanaryMetrics()
    config = load_configuration(path.read_text(), file=str(path))
    return Canary(config, base=path.parent, metrics=metrics), metrics


def ready(site: Any) -> Any:
    process = site.start()
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready"), site.log(process)
    return process


def test_no_canary_survives_the_processor(site: Any) -> None:
    """Every record becomes an event in time and no plant can be read; the metrics say so."""
    process = ready(site)
    agent, metrics = canary(site)
    result = agent.round(12, wait_s=WAIT_S)
    assert (result.missing, result.leaks) == (0, ()), site.log(process)
    assert result.planted > 50
    shown = generate_latest(metrics.registry).decode()
    assert "tacho_canary_leaks_total 0.0" in shown
    assert f"tacho_canary_planted_total {result.planted}.0" in shown


def test_a_leak_and_a_silence_are_told_apart(site: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a processor nothing comes; raw values under the session's key are a leak, never logged."""
    agent, metrics = canary(site)
    silent = agent.round(2, wait_s=1)
    assert (silent.good, silent.leaks) == (False, ())
    assert silent.missing > 0
    session = plant_session([5], kek=site.kek, clock=lambda: 10**18, randomness=lambda n: bytes(range(n)))
    uids = sorted(session.expected)
    bare = {
        uid: f'{{"text":"{plant.value}"}}'.encode() for uid, plant in zip(uids, session.plants, strict=False)
    }
    found = agent._judged(session, bare)
    assert found.leaks
    assert "tacho_canary_leaks_total 0.0" not in generate_latest(metrics.registry).decode()
    said = "".join(capfd.readouterr())
    assert "LEAK" in said
    assert not any(plant.value in said for plant in session.plants)


def test_a_missing_topic_says_what_to_do(site: Any) -> None:
    """The operator provisions, then tries again."""
    agent, _ = canary(site)
    agent._topics = type(agent._topics)(f"{site.topics.prefix}-none")
    with pytest.raises(BrokerFault, match="tacho provision"):
        agent.round(1, wait_s=1)
