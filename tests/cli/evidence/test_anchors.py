"""Anchors end to end: `tacho seal` with a witness process and a real time-stamp authority; then verified."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from openssl_authority import serving
from typer.testing import CliRunner, Result
from world import DAY, SESSION, Doc, filler, story

from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.cli.settings import load
from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.log_source import LogSource
from tachograph.forensics.published import Published
from tachograph.processors.sealing.anchoring import anchors_of
from tachograph.processors.sealing.metrics import Metrics
from tachograph.processors.sealing.worker import Sealer, World, signer_of
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.client import Cluster
from tachograph.sinks.index_templates import mappings
from tachograph.sinks.topic_admin import TopicAdmin

WAIT_SECONDS = 180.0
LEAST = 0.2


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def until(done: Callable[[], bool], what: str) -> None:
    """Wait within a bound, and end at once."""
    end = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < end, what
        time.sleep(LEAST)


@contextmanager
def process(*arguments: str | Path) -> Iterator[dict[str, Any]]:
    """A command that serves; what it said when it was ready."""
    command = [sys.executable, "-m", "tachograph.cli.main", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            word, _, said = running.stdout.readline().partition(" ")
            assert word == "ready"
            yield json.loads(said)
            running.send_signal(signal.SIGTERM)
            running.wait(WAIT_SECONDS)
        finally:
            running.kill()


@dataclass
class Deployment:
    """A home with topics and indices of the test's own and one log, which is named by the test."""

    file: Path
    prefix: str
    stack: Endpoints

    @classmethod
    def made(cls, folder: Path, stack: Endpoints, sealing: dict[str, Any]) -> Deployment:
        prefix = f"anchors-{uuid.uuid4().hex[:12]}"
        file = make_home(folder, randomness=os.urandom, now="2026-01-01T00:00:00Z").file
        value = yaml.safe_load(file.read_text())
        servers = stack.bootstrap_servers
        value["kafka"] = {"bootstrap_servers": servers, "topic_prefix": prefix, "partitions": 1}
        value["opensearch"] = {"url": stack.opensearch_url, "index_prefix": prefix}
        value["sealing"] = sealing
        file.write_text(yaml.safe_dump(value))
        found = cls(file, prefix, stack)
        names = (found.topics.masked, found.topics.leaves, found.topics.checkpoints)
        TopicAdmin(found.client).create(*(TopicSpec(name, 1) for name in names))
        return found

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix)

    @property
    def client(self) -> dict[str, str]:
        return {"bootstrap.servers": self.stack.bootstrap_servers}

    def configure(self, **sealing: Any) -> None:
        value = yaml.safe_load(self.file.read_text())
        value["sealing"] |= sealing
        self.file.write_text(yaml.safe_dump(value))

    def write(self, docs: list[Doc]) -> None:
        """As the processor would; and as the sink would."""
        producer = Producer(self.client)
        for doc in docs:
            headers: list[tuple[str, str | bytes | None]] = [
                ("uid", doc.uid),
                ("type", doc.type),
                ("day", DAY),
            ]
            producer.produce(self.topics.masked, doc.value, str(doc.session), partition=0, headers=headers)
        assert producer.flush(60) == 0
        told = load(self.file)
        cluster = Cluster(told.configuration.opensearch, base=told.base)
        for family in ("events", "messages"):
            cluster.put(f"/{self.prefix}-{family}-{DAY}", {"mappings": mappings()})
        for doc in (doc for doc in docs if doc.session == SESSION):
            family = "messages" if doc.type == "message" else "events"
            path = f"/{self.prefix}-{family}-{DAY}/_create/{doc.uid}"
            cluster.call("PUT", path, doc.value, params={"refresh": "true"})
        cluster.close()

    def published(self) -> list[Published]:
        source = LogSource(self.client, self.topics)
        found = source.checkpoints()
        source.close()
        return [item for items in found.values() for item in items]

    def exported(self, out: Path) -> Path:
        done = run("export", str(SESSION), "-o", out, "--config", self.file)
        assert done.exit_code == 0, done.output
        return out

    def close(self) -> None:
        told = load(self.file)
        cluster = Cluster(told.configuration.opensearch, base=told.base)
        names = f"/{self.prefix}-events-{DAY},{self.prefix}-messages-{DAY}"
        cluster.call("DELETE", names, params={"ignore_unavailable": "true"})
        cluster.close()
        admin = AdminClient(self.client)
        names = [self.topics.masked, self.topics.leaves, self.topics.checkpoints]
        for done in admin.delete_topics(names).values():
            done.result(WAIT_SECONDS)


def verdict(file: Path, trust: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("verify", file, "--trust", trust, "--json").stdout)
    return found


@pytest.mark.engines
def test_a_verifier_can_demand_both_and_a_fork_gets_neither(tmp_path: Path, stack: Endpoints) -> None:
    """Cosigned and stamped: complete. The same log with another history: refused, and witness-missing."""
    name = f"tachograph/{uuid.uuid4().hex[:12]}"
    sealing = {"origin": name, "checkpoint_leaves": 1, "checkpoint_seconds": 1, "timestamp_seconds": 0.5}
    honest = Deployment.made(tmp_path / "honest", stack, sealing)
    forked = Deployment.made(tmp_path / "forked", stack, sealing)
    key = Path("keys/log")
    (forked.file.parent / key).write_bytes((honest.file.parent / key).read_bytes())
    trust, witness = tmp_path / "trust.yaml", tmp_path / "witness.yaml"
    policy = yaml.safe_load(run("trust", "--config", honest.file).stdout)
    logs = [item["key"] for item in policy["logs"]]
    witness.write_text(yaml.safe_dump({"name": "w.example/1", "listen": {"port": 0}, "logs": logs}))
    try:
        with serving(tmp_path / "authority") as authority, process("witness", witness) as said:
            asked = [{"url": said["witness"], "key": said["key"]}]
            honest.configure(witnesses=asked, timestamp_url=authority.url)
            policy = yaml.safe_load(run("trust", "--config", honest.file).stdout)
            assert policy["witnesses"] == {"required": 1, "keys": [said["key"]]}
            policy.pop("gateways", None)  # no gateway has written these records
            policy["timestamps"] = {"required": True, "roots": [authority.root]}
            trust.write_text(yaml.safe_dump(policy))
            docs = [filler(1), *story(), filler(2)]
            honest.write(docs)
            with process("seal", "--config", honest.file):
                until(lambda: anchored(honest.published(), len(docs)), "not anchored in time")
            found = verdict(honest.exported(tmp_path / "honest.tacho"), trust)
            assert found["verdict"] == "complete", found
            assert found["stamped"][0]["log"] == f"{name}/0"
            other = [*docs[:3], filler(7), *docs[3:], filler(8), filler(9)]
            forked.configure(witnesses=asked)
            forked.write(other)
            assert refused(forked, len(other)) == {"failed"}
        out = forked.exported(tmp_path / "forked.tacho")
        theirs = yaml.safe_load(run("trust", "--config", forked.file).stdout)
        trust.write_text(yaml.safe_dump(theirs))
        assert verdict(out, trust)["verdict"] == "witness-missing"
    finally:
        honest.close()
        forked.close()


def anchored(found: list[Published], size: int) -> bool:
    """Whether checkpoints of the whole log have been cosigned and time-stamped."""
    whole = [item for item in found if item.said.size == size]
    cosigned = any(item.note.count("\n\u2014 ") == 2 for item in whole)
    return cosigned and any(item.token is not None for item in whole)


def refused(deployment: Deployment, leaves: int) -> set[str]:
    """Seal all that was written, in this process; what became of the checkpoints that were offered."""
    told, metrics = load(deployment.file), Metrics()
    sealing = told.configuration.sealing
    anchors = anchors_of(sealing, deployment.client, deployment.topics, metrics)
    signers = signer_of(told.base / told.configuration.keys.log_file)
    sealed, offered = threading.Event(), []

    def offer(item: Any) -> None:
        if item.said.size == leaves:  # the whole log at once: it is longer than what the witness knows
            offered.append(item)
            anchors.offer(item)
            sealed.set()

    world = World(offer=offer)
    sealer = Sealer(deployment.client, deployment.topics, sealing, signers=signers, world=world)
    sealer.subscribe()

    def results() -> set[str]:
        samples = [sample for family in metrics.anchors.collect() for sample in family.samples]
        return {item.labels["result"] for item in samples if item.name.endswith("_total") and item.value}

    def done() -> bool:
        sealer.turn()
        return sealed.is_set() and "failed" in results()

    until(done, "the witness was not asked")
    sealer.close()
    anchors.close()
    return results() - {"skipped"}
