"""The canary against real Kafka: a processor in service passes, one that masks nothing is caught."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from typer.testing import CliRunner

from tachograph.cli.main import app
from tachograph.processors.canary import Canary, CanaryMetrics
from tachograph.processors.canary_session import CanarySession, plant_session
from tachograph.processors.errors import BrokerFault, KeysAway
from tachograph.processors.stops import read_stops
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import load_configuration

WAIT_S = 180.0


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


def test_no_canary_survives_the_processor(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record becomes an event in time and no plant can be read; the metrics say so.

    The plants are the same each time; tests/processors/masking/test_canaries.py looks for others.
    """
    seeds = iter(range(1, 13))
    monkeypatch.setattr(secrets, "randbits", lambda _: next(seeds))
    process = ready(site)
    agent, metrics = canary(site)
    result = agent.round(12, wait_s=WAIT_S)
    assert (result.missing, result.leaks) == (0, ()), site.log(process)
    assert result.planted > 50
    shown = generate_latest(metrics.registry).decode()
    assert "tacho_canary_leaks_total 0.0" in shown
    assert f"tacho_canary_planted_total {result.planted}.0" in shown


def bare(session: CanarySession) -> dict[str, bytes]:
    """Events as a masker that masks nothing would give them."""
    uids = sorted(session.expected)
    return {
        uid: f'{{"text":"{plant.value}"}}'.encode() for uid, plant in zip(uids, session.plants, strict=False)
    }


def planted(site: Any) -> CanarySession:
    return plant_session([5], kek=site.kek, clock=lambda: 10**18, randomness=secrets.token_bytes)


def test_a_leak_and_a_silence_are_told_apart(site: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a processor nothing comes; raw values under the session's key are a leak, never logged.

    A leak stops its partition and is a finding on the masked topic; silence is an alarm and stops nothing.
    """
    settings = {"bootstrap.servers": site.bootstrap}
    agent, metrics = canary(site)
    silent = agent.round(2, wait_s=1)
    assert (silent.good, silent.leaks, silent.stopped) == (False, (), None)
    assert silent.missing > 0
    assert read_stops(settings, site.topics.stops) == {}
    session = planted(site)
    found = agent._judged(session, bare(session), 1)
    assert found.leaks
    assert found.stopped == 1
    assert "tacho_canary_leaks_total 0.0" not in generate_latest(metrics.registry).decode()
    stop = read_stops(settings, site.topics.stops)[1]
    assert (stop.session, stop.places) == (session.id, found.leaks)
    (told,) = site.read(site.topics.masked, lambda got: len(got) == 1)
    assert json.loads(told.value())["finding_info"]["uid"] == str(stop.finding)
    said = "".join(capfd.readouterr()) + stop.model_dump_json() + told.value().decode()
    assert "LEAK" in said
    assert not any(plant.value in said for plant in session.plants)


def of_partition(site: Any, number: int) -> Any:
    """A session whose records lie in this partition."""
    for _ in range(200):
        strand = site.strand()
        site.publish_key(strand)
        record = strand.open()
        site.publish([record])
        there = site.read(site.topics.raw, lambda got: record.key in {m.key() for m in got})  # noqa: B023  called here
        places = {message.key(): message.partition() for message in there}
        if places.get(record.key) == number:
            return strand, record
    raise AssertionError("no session fell into the partition")


def uids(messages: list[Any]) -> set[str]:
    return {dict(message.headers())["uid"].decode() for message in messages}


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=WAIT_S)


def eventually(holds: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds()


def test_a_leak_stops_its_partition_until_it_is_acknowledged(site: Any) -> None:
    """Over a kill -9 and a restart; the other partition goes on, and afterwards nothing is missing."""
    site.settings = {"metrics": "{host: 127.0.0.1, port: 0}"}
    config = str(site.config())
    stays, early = of_partition(site, 1)
    goes, first = of_partition(site, 0)
    worker = site.start()
    url = json.loads(worker.stdout.readline().removeprefix("ready "))["metrics"]
    site.read(site.topics.masked, lambda got: uids(got) >= {str(early.header.uid), str(first.header.uid)})
    agent, _ = canary(site)
    session = planted(site)
    agent._judged(session, bare(session), 1)
    eventually(lambda: "partition 1 stopped" in get(f"{url}/readyz").text)
    waiting = [record for _ in range(50) for record in stays.exchange(b"{}", b"{}")]
    passing = [record for _ in range(50) for record in goes.exchange(b"{}", b"{}")]
    site.publish([record for pair in zip(waiting, passing, strict=True) for record in pair])
    others = {str(record.header.uid) for record in passing}
    held = {str(record.header.uid) for record in waiting}
    assert not uids(site.read(site.topics.masked, lambda got: uids(got) >= others)) & held
    site.kill(worker)
    worker = site.start()
    url = json.loads(worker.stdout.readline().removeprefix("ready "))["metrics"]
    eventually(lambda: "partition 1 stopped" in get(f"{url}/readyz").text)
    assert "tacho_processor_stopped_partitions 1.0" in get(f"{url}/metrics").text
    more = goes.open()
    site.publish([more])
    told = site.read(site.topics.masked, lambda got: str(more.header.uid) in uids(got))
    assert not uids(told) & held
    shown = CliRunner().invoke(app, ["canary", "stops", "--config", config])
    assert (shown.exit_code, str(session.id) in shown.stdout) == (1, True)
    done = CliRunner().invoke(app, ["canary", "acknowledge", "1", "--config", config])
    assert done.exit_code == 0, done.output
    site.read(site.topics.masked, lambda got: uids(got) >= held)
    eventually(lambda: get(f"{url}/readyz").json()["ready"])
    again = CliRunner().invoke(app, ["canary", "acknowledge", "1", "--config", config])
    assert again.exit_code != 0


def test_a_missing_topic_says_what_to_do(site: Any) -> None:
    """The operator provisions, then tries again."""
    agent, _ = canary(site)
    agent._topics = type(agent._topics)(f"{site.topics.prefix}-none")
    with pytest.raises(BrokerFault, match="tacho provision"):
        agent.round(1, wait_s=1)


def test_a_canary_without_what_wraps_its_key_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is planted; it is a part that is down."""
    monkeypatch.setenv("T", "t")
    auth = {"method": "token", "secret": {"env": "T"}}
    config = Configuration.model_validate(
        {
            "keys": {"kek_provider": "vault_transit", "transit": {"key": "raw"}},
            "credentials": {"vault": {"address": "http://127.0.0.1:9", "auth": auth}},
        }
    )
    metrics = CanaryMetrics()
    with pytest.raises(KeysAway, match="no data key can be wrapped: Vault at"):
        Canary(config, base=tmp_path, metrics=metrics).round(1, wait_s=1)
    assert "tacho_canary_planted_total 0.0" in generate_latest(metrics.registry).decode()
