"""What `tacho verify --live` costs: leaves on a real Kafka, documents in a real OpenSearch, records a second.

Documents are indexed as the sink does, with our mappings; sealing is the real worker. The audit is given how
far the parts are, because none runs here.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.cli.evidence.live import AHEAD, Asked, Audit
from tachograph.cli.evidence.store import Store
from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.live.positions import Marks
from tachograph.forensics.log_source import LogSource
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.processors.sealing.worker import Sealer, origin_of
from tachograph.schemas.config import OpenSearch
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.client import Cluster
from tachograph.sinks.index_templates import mappings
from tachograph.sinks.topic_admin import TopicAdmin

__all__ = ["live"]

SETTINGS = Sealing(checkpoint_leaves=1_000, checkpoint_seconds=600)
BULK = 500
"""Documents of one call."""
Recorded = Sequence[tuple[Leaf, bytes]]


def live(engines: Endpoints, recorded: Recorded, *, rounds: int) -> float:
    """Records a second of the fastest of so many audits: the others had less of the machine."""
    with _stored(engines, recorded) as topics:
        return max(_audited(engines, topics, len(recorded)) for _ in range(rounds))


@contextmanager
def _stored(engines: Endpoints, recorded: Recorded) -> Iterator[Topics]:
    """All of it sealed and indexed under a name of its own."""
    topics, client = (
        Topics(f"bench-{uuid.uuid4().hex[:12]}"),
        {"bootstrap.servers": engines.bootstrap_servers},
    )
    names = (topics.masked, topics.leaves, topics.checkpoints)
    TopicAdmin(client).create(*(TopicSpec(name, 1) for name in names))
    cluster = Cluster(OpenSearch(url=engines.opensearch_url), base=Path())
    try:
        _seal(topics, client, recorded)
        _index(topics, cluster, recorded)
        yield topics
    finally:
        cluster.call("DELETE", f"/{topics.prefix}-*")
        cluster.close()
        admin = AdminClient(client)  # kept until its answers are there
        for done in admin.delete_topics(list(names)).values():
            done.result(30)


def _seal(topics: Topics, client: dict[str, str], recorded: Recorded) -> None:
    producer = Producer(client)
    for leaf, value in recorded:
        said = {"uid": str(leaf.uid), "type": leaf.type, "day": str(leaf.day)}
        headers: list[tuple[str, str | bytes | None]] = list(said.items())
        producer.produce(topics.masked, value, str(leaf.session), headers=headers)
        producer.poll(0)
    assert producer.flush(60) == 0
    sealer = Sealer(client, topics, SETTINGS, signers=_signer)
    sealer.subscribe()
    while sealer.sealed < len(recorded):
        sealer.turn()
    sealer.close()


def _index(topics: Topics, cluster: Cluster, recorded: Recorded) -> None:
    index = f"{topics.prefix}-events-{recorded[0][0].day}"
    cluster.put(f"/{index}", {"mappings": mappings()})
    for start in range(0, len(recorded), BULK):
        lines = [
            part
            for leaf, value in recorded[start : start + BULK]
            for part in (orjson.dumps({"create": {"_index": index, "_id": str(leaf.uid)}}), value)
        ]
        cluster.bulk(b"\n".join(lines) + b"\n")
    cluster.call("POST", f"/{index}/_refresh")


def _audited(engines: Endpoints, topics: Topics, count: int) -> float:
    source = LogSource({"bootstrap.servers": engines.bootstrap_servers}, topics)
    cluster = Cluster(OpenSearch(url=engines.opensearch_url), base=Path(), lanes=AHEAD)
    store = Store(cluster, prefix=topics.prefix)
    trust = {"version": 1, "logs": [{"key": str(_signer(_origin(topics)).key)}], "exporters": []}
    marks = Marks(0, time.time(), {0: count}, {0: count}, caught_up=True)
    try:
        policy = TrustPolicy.parse(json.dumps(trust), file="bench")
        audit = Audit(
            source, store, lambda: marks, lambda _: _origin(topics), policy, Asked(), lambda _: None
        )
        report = audit.run()
    finally:
        source.close()
        store.close()
    assert (report.word, report.audited) == ("clean", count), report.as_json()
    return report.audited / report.seconds


def _origin(topics: Topics) -> str:
    return origin_of(SETTINGS, topics, 0)


def _signer(origin: str) -> NoteSigner:
    return NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
