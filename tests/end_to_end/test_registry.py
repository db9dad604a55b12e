"""What is applied is in force in every part, while requests flow."""

from __future__ import annotations

import base64
import itertools
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka import Producer

from tachograph.cli.registry.topic import ControlTopic
from tachograph.cli.settings import Settings
from tachograph.ingress.keyfile import read_key
from tachograph.schemas.control import RELEASE, ControlKey, Release
from tachograph.schemas.envelope import parse_sealed
from tachograph.schemas.registry import Registry, short

WORKERS, AGENTS = 2, 4
PACE_SECONDS = 0.05
FORCE_SECONDS = 20.0
"""In force within one second of an idle machine; the bound leaves room for a busy one."""


def tacho(site: Any, *arguments: str, code: int = 0) -> str:
    """A command on the site's configuration, in a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "tachograph.cli.main", *arguments],
        env={**os.environ, "TACHO_CONFIG": str(site.folder / "tacho.yaml")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def write(site: Any, *, effect: str, headers: list[str]) -> Path:
    """A registry as files: one policy, one masked header."""
    folder = Path(site.folder) / "registry"
    for name in ("connections", "policies", "masking"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    api = {"name": "api", "protocol": "http", "upstream": f"http://127.0.0.1:{site.target.port}"}
    (folder / "connections" / "api.yaml").write_text(yaml.safe_dump(api))
    (folder / "policies" / "p.cedar").write_text(
        f'@id("{effect}-all") {effect}(principal, action, resource);\n'
    )
    (folder / "masking" / "fields.yaml").write_text(yaml.safe_dump({"headers": headers}))
    return folder


def in_force(site: Any, version: int) -> list[datetime]:
    """When each worker of the ingress took this version, by its log."""
    text = (Path(site.folder) / "logs" / "ingress.log").read_text()
    lines = text[: text.rfind("\n") + 1].splitlines()  # the last may be on its way
    found = [orjson.loads(line) for line in lines if '"registry_in_force"' in line]
    return [datetime.fromisoformat(one["timestamp"]) for one in found if one["version"] == version]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def applied(
    stack: Any,
    tmp_path_factory: pytest.TempPathFactory,
    open_site: Callable[..., AbstractContextManager[Any]],
) -> Iterator[Any]:
    """A site with two ingress workers that follow the control topic."""
    folder = tmp_path_factory.mktemp("registry")
    keys = folder / "control"
    keys.touch(mode=0o600)
    keys.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    more = {
        "registry": {"source": "topic"},
        "keys": {"control_file": str(keys)},
        "ingress": {"listen": {"port": 0}, "workers": WORKERS},
    }
    with open_site(folder / "site", stack, more) as site:
        yield site


def test_every_request_is_judged_by_one_registry_and_none_fails(applied: Any) -> None:
    """Permit and deny take turns while four agents ask two workers."""
    site, stop = applied, threading.Event()
    seen: list[tuple[float, int]] = []

    def agent(number: int) -> None:
        for count in itertools.count():
            if stop.is_set():
                return
            began = time.monotonic()
            answer = site.ask(f"/c/api/flow/{number}/{count}", head="X-Hide: hidden-value-1\r\n")
            seen.append((began, status(answer)))
            stop.wait(PACE_SECONDS)

    agents = [threading.Thread(target=agent, args=(number,)) for number in range(AGENTS)]
    for one in agents:
        one.start()
    try:
        for version, effect in enumerate(("forbid", "permit", "forbid", "permit"), 1):
            told = orjson.loads(tacho(site, "apply", str(write(site, effect=effect, headers=[])), "--json"))
            assert (told["applied"], told["version"]) == (True, version)
            site.eventually(lambda version=version: len(in_force(site, version)) == WORKERS)
            since, wanted = time.monotonic(), 403 if effect == "forbid" else 200
            site.eventually(lambda since=since: sum(at > since for at, _ in seen) >= 2 * AGENTS)
            assert {code for at, code in seen if at > since} == {wanted}
    finally:
        stop.set()
        for one in agents:
            one.join()
    releases = ControlTopic(Settings(site.folder / "tacho.yaml", site.config, site.folder)).read().releases
    took = [
        (when - datetime.fromisoformat(one.at[:26] + "Z")).total_seconds()
        for version, one in releases.items()
        for when in in_force(site, version)
    ]
    print(f"in force {sorted(took)} s after the release was written; {len(seen)} requests")
    assert max(took) < FORCE_SECONDS
    assert {code for _, code in seen} == {200, 403}
    records = [parse_sealed(value).header for value in site.topic(site.config.kafka.topics.raw)]
    named: dict[Any, set[str | None]] = {}
    for header in records:
        if header.exchange is not None:
            named.setdefault(header.exchange, set()).add(header.registry)
    assert all(len(registries) == 1 for registries in named.values())
    assert len(set().union(*named.values()) - {None}) == 2


def test_what_is_bad_or_forged_changes_nothing(applied: Any) -> None:
    """The command refuses what does not compile; the parts refuse what is forged, or signed and unusable."""
    site = applied
    good = orjson.loads(tacho(site, "apply", str(write(site, effect="permit", headers=["x-a"])), "--json"))
    folder = write(site, effect="permit", headers=[])
    (folder / "policies" / "p.cedar").write_text("permit(")
    tacho(site, "apply", str(folder), code=2)
    key = ControlKey(read_key(Path(site.config.keys.control_file)))
    producer = Producer({"bootstrap.servers": site.config.kafka.bootstrap_servers})
    topics, at = site.config.kafka.topics, "2026-01-01T00:00:00.000000000Z"
    deny = Registry.model_validate({"policies": [{"file": "p", "text": "permit("}]})
    for signer, version in ((ControlKey(b"x" * 32), good["version"] + 5), (key, good["version"] + 1)):
        release = Release(version=version, digest=deny.digest, at=at, by="x")
        producer.produce(topics.control, key=deny.digest, value=signer.seal(deny.digest, deny.canonical()))
        producer.produce(topics.releases, value=signer.seal(RELEASE, release.encode()))
    assert producer.flush(30) == 0
    log = Path(site.folder) / "logs" / "ingress.log"
    site.eventually(lambda: log.read_text().count("registry_refused") >= 2)
    assert "control_record_ignored" in log.read_text()
    assert status(site.ask("/c/api/still")) == 200


def test_a_killed_worker_comes_back_with_what_is_in_force(applied: Any) -> None:
    """kill -9 of the whole ingress while a release is made: afterwards all of it is in force."""
    site = applied
    timer = threading.Timer(0.5, lambda: site.supervisor.kill("ingress"))
    timer.start()
    told = orjson.loads(tacho(site, "apply", str(write(site, effect="forbid", headers=["x-b"])), "--json"))
    timer.join()
    ingress = site.supervisor.parts["ingress"]

    def back() -> bool:
        site.supervisor.tick(now=time.monotonic())
        return ingress.restarts > 0 and ingress.ready() is not None

    site.eventually(back)
    site.url = str((site.supervisor.parts["ingress"].ready() or {})["ingress"])
    assert status(site.ask("/c/api/after")) == 403
    listed = orjson.loads(tacho(site, "connections", "--json"))
    assert listed["version"] == told["version"]


def test_a_record_is_masked_by_the_registry_that_it_names(applied: Any) -> None:
    """Also by whoever reads the raw topic again, long after something else was applied."""
    site = applied
    for number, headers in enumerate((["x-hide"], [])):
        told = orjson.loads(
            tacho(site, "apply", str(write(site, effect="permit", headers=headers)), "--json")
        )
        version, digest = told["version"], short(told["digest"])
        site.eventually(lambda version=version: len(in_force(site, version)) == WORKERS)
        assert status(site.ask(f"/c/api/masked/{number}", head="X-Hide: plainword\r\n")) == 200
        site.eventually(
            lambda digest=digest: any(
                parse_sealed(value).header.registry == digest
                for value in site.topic(site.config.kafka.topics.raw)
            )
        )

    def request(number: int) -> dict[str, Any] | None:
        wanted = [
            one
            for one in site.documents()
            if f"/masked/{number}" in one["message"] and one["unmapped"]["tacho"]["type"] == "request"
        ]
        return wanted[0] if wanted else None

    site.eventually(lambda: request(0) is not None and request(1) is not None)
    first, second = request(0), request(1)
    assert first is not None
    assert second is not None
    assert "plainword" not in orjson.dumps(first).decode()
    assert "plainword" in orjson.dumps(second).decode()
    rulesets = {one["unmapped"]["tacho"]["ruleset"] for one in (first, second)}
    assert len(rulesets) == 2
