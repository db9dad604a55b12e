"""What evidence costs: to capture a record, verify a bundle, seal on a real Kafka, audit what runs; the last
line is JSON.

`--kafka HOST:PORT --opensearch URL` use running engines; without them an own stack is started.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.evidence_live import live
from bench.machine import describe
from tachograph.cli.stack.engines import Endpoints, Stack, StackConfig
from tachograph.cli.stack.progress import Plain
from tachograph.forensics.bundle.assemble import LogPart, Taken, assemble
from tachograph.forensics.bundle.content import write_bundle
from tachograph.forensics.published import Published
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.verify import verify_bundle
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.processors.sealing.worker import Sealer
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.envelope import parse_sealed
from tachograph.schemas.event import EventType, Principal, PrincipalKind
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import Tree, leaf_hash
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.payload import SessionCloseMeta, SessionOpenMeta
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

BODY = b"x" * 4096
CAPTURED, VERIFIED, SEALED, AUDITED = 20_000, 5_000, 20_000, 10_000
REPEATED = 3
"""Verifications, and audits; the first also loads what all later ones have."""
DAY, ORIGIN = "2026.11.23", "tachograph/bench/0"
LOG = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
EXPORTER = NoteSigner("tachograph/bench/export", Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
NOW_NS = 1_795_413_600_000_000_000


def strand() -> Strand:
    """One that writes with a fixed clock and salt."""
    who = Principal(id="bench", kind=PrincipalKind.API_KEY)
    sources = Sources(clock=lambda: NOW_NS, random=bytes)
    return Strand(uuid.uuid4(), uuid.uuid4(), who, Topics("bench"), sources, bytes(32))


def capture() -> float:
    """p99 in ms of one record of 4 KiB through hash, chain and encryption."""
    writer, meta = strand(), SessionOpenMeta(version="0", config_digest="0", basis="claimed")
    took = []
    for _ in range(CAPTURED):
        begun = time.perf_counter_ns()
        writer.record(EventType.REQUEST, meta, BODY)
        took.append(time.perf_counter_ns() - begun)
    return sorted(took)[len(took) * 99 // 100] / 1e6


def documents(count: int) -> tuple[str, list[tuple[Leaf, bytes]]]:
    """A session of so many records of 4 KiB, as documents with their leaves."""
    writer, found = strand(), []
    meta = SessionOpenMeta(version="0", config_digest="0", basis="claimed")
    for number in range(count):
        last = number == count - 1
        kind = EventType.SESSION_CLOSE if last else EventType.REQUEST if number else EventType.SESSION_OPEN
        said = SessionCloseMeta(records=count, reason="idle") if last else meta
        header = parse_sealed(writer.record(kind, said).value).header
        facts = {"ruleset": "r", "body": "x" * 3300} | ({"records": count} if last else {})
        tacho = json.loads(header.canonical()) | facts
        value = canonical_json(
            {"time": NOW_NS // 10**6, "metadata": {"uid": str(header.uid)}, "unmapped": {"tacho": tacho}}
        )
        leaf = Leaf(
            index=number, offset=number, leaf=leaf_hash(value).hex(), type=kind.value, uid=header.uid,
            session=header.session, day=DAY,
        )  # fmt: skip
        found.append((leaf, value))
    return str(writer.session), found


def verification() -> float:
    """Records a second of CPU time, reading and judging a bundle."""
    session, found = documents(VERIFIED)
    hashes = [bytes.fromhex(leaf.leaf) for leaf, _ in found]
    root = Tree(hashes).root()
    said = Checkpoint(ORIGIN, VERIFIED, root, time="2026-11-23T06:01:00Z")
    part = LogPart(
        ORIGIN, hashes, tuple(leaf for leaf, _ in found), (Published(LOG.sign(said.text()), said),)
    )
    taken = Taken(session, "2026-11-23T07:00:00Z", "bench", "bench", "bench")
    data = write_bundle(
        assemble(taken, [part], {str(leaf.uid): value for leaf, value in found}, []), EXPORTER
    )
    trust = {"version": 1, "logs": [{"key": str(LOG.key)}], "exporters": [{"key": str(EXPORTER.key)}]}
    policy = TrustPolicy.parse(json.dumps(trust), file="bench")
    begun = time.process_time()
    report = verify_bundle(data, policy)
    took = time.process_time() - begun
    assert report.verdict.word == "complete", report.counts
    return VERIFIED / took


def sealing(bootstrap: str) -> float:
    """Records a second from the masked topic to committed leaves and checkpoints."""
    topics, client = Topics(f"bench-{uuid.uuid4().hex[:12]}"), {"bootstrap.servers": bootstrap}
    admin, names = AdminClient(client), (topics.masked, topics.leaves, topics.checkpoints)
    TopicAdmin(client).create(*(TopicSpec(name, 1) for name in names))
    producer = Producer(client)
    for _ in range(SEALED):
        headers: list[tuple[str, str | bytes | None]] = [("uid", str(uuid.uuid4())), ("type", "request")]
        producer.produce(topics.masked, BODY, str(uuid.uuid4()), headers=headers)
        producer.poll(0)
    assert producer.flush(60) == 0
    sealer = Sealer(client, topics, Sealing(), signers=lambda _: LOG)
    sealer.subscribe()
    begun = 0.0
    while sealer.sealed < SEALED:
        before = time.perf_counter()
        sealer.turn()
        begun = begun or (before if sealer.sealed else 0.0)
    took = time.perf_counter() - begun
    sealer.close()
    for done in admin.delete_topics(list(names)).values():
        done.result(30)
    return SEALED / took


@contextmanager
def engines(kafka: str | None, opensearch: str | None) -> Iterator[Endpoints]:
    """Those that are named, or our own."""
    if kafka and opensearch:
        yield Endpoints(bootstrap_servers=kafka, opensearch_url=opensearch)
        return
    with tempfile.TemporaryDirectory(prefix="tacho-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        config = StackConfig(
            home=Path(name), kafka_port=0, controller_port=0, opensearch_port=0, transport_port=0
        )
        with Stack(config) as stack:
            yield stack.start(Plain(sys.stderr))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", metavar="HOST:PORT")
    parser.add_argument("--opensearch", metavar="URL")
    asked = parser.parse_args()
    figures: dict[str, object] = {
        "capture_p99_ms": round(capture(), 3),
        "verify_records_s": round(statistics.median(verification() for _ in range(REPEATED))),
    }
    with engines(asked.kafka, asked.opensearch) as running:
        figures["sealing_records_s"] = round(sealing(running.bootstrap_servers))
        figures["live_records_s"] = round(live(running, documents(AUDITED)[1], rounds=REPEATED))
    print(json.dumps(figures | {"machine": describe().as_dict()}))


if __name__ == "__main__":
    main()
