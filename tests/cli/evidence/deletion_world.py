"""A deployment that deletes: topics and templates of its own, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result
from world import DAY, Doc, Strand, message, part, said

from tachograph.cli.evidence.store import Store
from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.cli.settings import load
from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.escrow_source import EscrowSource
from tachograph.forensics.log_source import LogSource
from tachograph.schemas.keys import strand_name
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.client import Cluster
from tachograph.sinks.provision import provision

PARTS = ("seal", "sink")
OLD_DAY, OLD_MS = "1999.01.02", 915_235_200_000
KEEP_DAYS = 9_000
"""Some 24 years: what is of 1999 grew old, what is of 2026 did not."""
SECONDS = 120.0
"""The bound of every wait: the first is for two processes that start."""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Within a bound, and at once when it holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.1)


def tale(session: uuid.UUID, *, principal: str = "builder", closed: bool = True) -> list[Doc]:
    """open, request, response with a second part, close."""
    write = Strand(session=session)
    found = [write.record("session.open", principal=principal)]
    found.append(write.record("request", principal=principal, body="{}"))
    answer = write.record("response", principal=principal, body="the beginning", body_parts=1)
    rest = part(answer, 1).edited(lambda value: value["unmapped"]["tacho"].update(session=str(session)))
    found += [answer, Doc.of(json.loads(rest.value))]
    return [*found, write.close()] if closed else found


def talk(session: uuid.UUID, *, day: str = DAY) -> list[Doc]:
    """A session with one message, whose identity depends on the day."""
    write = Strand(session=session)
    return [*conversation(write, day=day), write.close()]


def conversation(write: Strand, *, day: str = DAY) -> list[Doc]:
    """The same, still open."""
    session = write.session
    spoken = message(0, parent="0" * 64, text=str(session), session=session, day=day.replace(".", "-"))
    head = {"conversation": {"head": said(spoken)["message"]["hash"], "count": 1, "messages_new": 1}}
    return [write.record("session.open"), write.record("request", body="{}", **head), spoken]


def old(docs: list[Doc]) -> list[Doc]:
    """The same records, of 1999."""
    return [doc.edited(lambda value: value.update(time=OLD_MS)) for doc in docs]


class DeletionWorld:
    """One home. `publish` returns when everything is sealed and stored."""

    def __init__(self, folder: Path, stack: Endpoints) -> None:
        self.prefix = f"deletion-{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.file = make_home(folder, randomness=os.urandom, now="2026-01-01T00:00:00Z").file
        (folder / "keys" / "signing").unlink()  # no gateway runs here, so none is asked for heartbeats
        value: dict[str, Any] = yaml.safe_load(self.file.read_text())
        kafka = {"bootstrap_servers": stack.bootstrap_servers, "topic_prefix": self.prefix, "partitions": 2}
        value |= {
            "kafka": kafka,
            "opensearch": {"url": stack.opensearch_url, "index_prefix": self.prefix},
            "sealing": {"checkpoint_leaves": 1, "checkpoint_seconds": 600},
            "retention": {"events_days": KEEP_DAYS, "messages_days": KEEP_DAYS},
        }
        self.file.write_text(yaml.safe_dump(value))
        self.told = load(self.file)
        self.topics = self.told.configuration.kafka.topics
        self.client = {"bootstrap.servers": stack.bootstrap_servers}
        self.cluster = Cluster(self.told.configuration.opensearch, base=self.told.base)
        self.store = Store(self.cluster, prefix=self.prefix)
        provision(self.told.configuration, base=self.told.base, progress=lambda _: None)

    def publish(self, docs: list[Doc], *, day: str = DAY) -> None:
        """As the processor does, with a wrapped data key for each strand."""
        producer = Producer(self.client)
        for doc in docs:
            headers: list[tuple[str, str | bytes | None]] = [
                ("uid", doc.uid),
                ("type", doc.type),
                ("day", day),
            ]
            producer.produce(self.topics.masked, doc.value, str(doc.session), headers=headers)
            facts = said(doc)
            if doc.type == "session.open":
                name = strand_name(doc.session, uuid.UUID(facts["epoch"]))
                producer.produce(self.topics.keys, b"wrapped", name)
                producer.produce(self.topics.escrow, b"sealed", f"{doc.session}/{doc.uid}/0")
        assert producer.flush(SECONDS) == 0
        uids = {doc.uid for doc in docs}
        eventually(lambda: self.there(docs, day=day) == uids, "every document stored")
        eventually(lambda: self.sealed() >= uids, "every document sealed")

    def there(self, docs: list[Doc], *, day: str = DAY) -> set[str]:
        """The uids of those that are in OpenSearch."""
        from tachograph.forensics.deletion.plan import Target

        return self.store.present([Target(doc.uid, doc.type, day) for doc in docs])

    def sealed(self) -> set[str]:
        """The uids in the logs."""
        source = LogSource(self.client, self.topics)
        try:
            return {json.loads(value)["uid"] for number in (0, 1) for value in source.values(number)}
        finally:
            source.close()

    def keys(self, session: uuid.UUID) -> list[bool]:
        """Of each message on the keys topic for a session, whether it is a key or a tombstone."""
        quick = {"enable.partition.eof": True, "fetch.wait.max.ms": 20}
        consumer = Consumer(self.client | {"group.id": self.prefix} | quick)
        consumer.assign([TopicPartition(self.topics.keys, 0, 0)])
        found: list[bool] = []
        while (item := consumer.poll(SECONDS)) is not None and item.error() is None:
            if (item.key() or b"").startswith(str(session).encode()):
                found.append(item.value() is not None)
        consumer.close()
        return found

    def escrowed(self, session: uuid.UUID) -> int:
        """How many records the escrow holds of a session."""
        source = EscrowSource(self.client, self.topics.escrow)
        try:
            return len(source.names_of([session]))
        finally:
            source.close()

    def verdict(self, session: uuid.UUID, **more: Any) -> dict[str, Any]:
        """Exported and verified with the policy that `tacho trust` prints, and what it says `more`."""
        name = uuid.uuid4().hex
        trust, bundle = self.folder / f"{name}.yaml", self.folder / f"{name}.tacho"
        policy = json.loads(run("trust", "--json", "--config", self.file).stdout)
        trust.write_text(json.dumps(policy | more))
        done = run("export", str(session), "-o", bundle, "--config", self.file)
        assert done.exit_code == 0, done.output
        report: dict[str, Any] = json.loads(run("verify", bundle, "--trust", trust, "--json").stdout)
        return report

    def close(self) -> None:
        self.cluster.call("DELETE", f"/{self.prefix}-*")
        for kind in ("_index_template", "_component_template"):
            self.cluster.call("DELETE", f"/{kind}/{self.prefix}-*")
        self.cluster.close()
        kafka = self.told.configuration.kafka
        specs = topic_specs(self.topics, partitions=2, raw_retention_hours=1, masked_retention_hours=1)
        admin = AdminClient(self.client)  # kept until its answers are there
        assert kafka.partitions == 2
        for done in admin.delete_topics([spec.name for spec in specs]).values():
            done.result(SECONDS)


@contextmanager
def deletion_world(folder: Path, stack: Endpoints) -> Iterator[DeletionWorld]:
    """With the sealing worker and the sink running, each as a process of its own."""
    world = DeletionWorld(folder, stack)
    running: list[subprocess.Popen[str]] = []
    try:
        for name in PARTS:
            command = [sys.executable, "-m", "tachograph.cli.main", name, "--config", str(world.file)]
            with (folder / f"{name}.log").open("w") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log, text=True))
        yield world
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(SECONDS)
        world.close()
