"""`tacho export`, `verify`, `trust`: from real engines into a file, and from there to a verdict."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from attacks import honest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from heartbeats import Boot, state
from typer.testing import CliRunner, Result
from world import DAY, SESSION, Doc, Strand, filler, policy, story

from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence.command import _show
from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.cli.settings import load
from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import Finding, Report
from tachograph.processors.keyfile import read_key
from tachograph.processors.sealing.worker import Sealer, signer_of
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.heartbeat import gateway_name
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.client import Cluster
from tachograph.sinks.index_templates import mappings
from tachograph.sinks.topic_admin import TopicAdmin

TURNS = 1000
"""A quarter of a second each at most; a busy Kafka takes its time to let a new group begin."""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


@pytest.fixture
def bundle_file(tmp_path: Path) -> tuple[Path, Path]:
    """A good bundle and the policy to judge it by."""
    file, trust = tmp_path / "good.tacho", tmp_path / "trust.yaml"
    file.write_bytes(honest())
    trust.write_text(yaml.safe_dump(policy()))
    return file, trust


def test_a_good_bundle_is_complete_without_colours_in_a_pipe(bundle_file: tuple[Path, Path]) -> None:
    """Exit code 0; the verdict comes first."""
    file, trust = bundle_file
    done = run("verify", file, "--trust", trust)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("complete: ")
    assert "\x1b" not in done.stdout
    assert json.loads(run("verify", file, "--trust", trust, "--json").stdout)["states"]["PRESENT"] == 7


def test_what_was_not_checked_is_said(bundle_file: tuple[Path, Path]) -> None:
    """Beside the verdict stands what it does not rest on."""
    file, trust = bundle_file
    done = run("verify", file, "--trust", trust)
    assert "not checked: heartbeats: the policy names no gateways" in done.stdout


def test_a_bad_one_ends_with_its_own_code(bundle_file: tuple[Path, Path]) -> None:
    """The verdict's, not a general 1."""
    file, trust = bundle_file
    file.write_bytes(file.read_bytes()[:-1])
    done = run("verify", file, "--trust", trust)
    assert (done.exit_code, "bundle-malformed" in done.stdout) == (10, True)


def test_ten_gigabytes_are_not_read(bundle_file: tuple[Path, Path]) -> None:
    """A file beyond the bound is a verdict before a byte of it is in memory."""
    file, trust = bundle_file
    with file.open("r+b") as stream:
        stream.truncate(10 << 30)
    assert run("verify", file, "--trust", trust).exit_code == 11


def test_a_pipe_is_no_bundle(bundle_file: tuple[Path, Path], tmp_path: Path) -> None:
    """Nobody waits for what may never come."""
    _, trust = bundle_file
    os.mkfifo(tmp_path / "pipe.tacho")
    done = run("verify", tmp_path / "pipe.tacho", "--trust", trust)
    assert isinstance(done.exception, WrongUse)
    assert "expected a regular file" in str(done.exception)


@pytest.mark.parametrize("text", [None, "version: 1", "\udcff"])
def test_without_a_policy_there_is_no_verdict(bundle_file: tuple[Path, Path], text: str | None) -> None:
    """A wrong policy is wrong use, whatever the bundle is."""
    file, trust = bundle_file
    trust.unlink()
    if text is not None:
        trust.write_bytes(text.encode("utf-8", "surrogateescape"))
    done = run("verify", file, "--trust", trust)
    assert (done.exit_code or 0) != 0
    assert "complete" not in done.stdout


class Deployment:
    """A home whose topics and indices are the test's own, with one session sealed and indexed."""

    def __init__(self, folder: Path, stack: Endpoints) -> None:
        self.prefix = f"evidence-{uuid.uuid4().hex[:12]}"
        made = make_home(folder, randomness=os.urandom, now="2026-01-01T00:00:00Z")
        self.file = made.file
        value = yaml.safe_load(self.file.read_text())
        value["kafka"] = {
            "bootstrap_servers": stack.bootstrap_servers,
            "topic_prefix": self.prefix,
            "partitions": 2,
        }
        value["opensearch"] = {"url": stack.opensearch_url, "index_prefix": self.prefix}
        self.file.write_text(yaml.safe_dump(value))
        self.topics, self.client = Topics(self.prefix), {"bootstrap.servers": stack.bootstrap_servers}
        told = load(self.file)
        self.cluster = Cluster(told.configuration.opensearch, base=told.base)
        seed = read_key(told.base / told.configuration.keys.signing_file)
        self.gateway = NoteSigner(gateway_name(self.prefix), Ed25519PrivateKey.from_private_bytes(seed))
        self.key_file = told.base / told.configuration.keys.log_file
        self._topics()

    def _topics(self) -> None:
        names = (self.topics.masked, self.topics.leaves, self.topics.deadletter)
        sizes = dict.fromkeys(names, 2) | {self.topics.checkpoints: 1}
        TopicAdmin(self.client).create(*(TopicSpec(name, size) for name, size in sizes.items()))

    def seal(self, documents: list[Doc]) -> None:
        """Through the masked topic and the real sealing worker."""
        producer = Producer(self.client)
        for doc in documents:
            headers: list[tuple[str, str | bytes | None]] = [
                ("uid", doc.uid),
                ("type", doc.type),
                ("day", DAY),
            ]
            producer.produce(self.topics.masked, doc.value, str(doc.session), partition=1, headers=headers)
        assert producer.flush(60) == 0
        settings = Sealing(checkpoint_leaves=1, checkpoint_seconds=600)
        sealer = Sealer(self.client, self.topics, settings, signers=signer_of(self.key_file))
        sealer.subscribe()
        for _ in range(TURNS):
            sealer.turn()
            if sealer.sealed == len(documents):
                break
        sealer.close()
        assert sealer.sealed == len(documents)

    def index(self, documents: list[Doc]) -> None:
        """As the sink would: under the uid, byte for byte."""
        for family in ("events", "messages"):
            self.cluster.put(f"/{self.prefix}-{family}-{DAY}", {"mappings": mappings()})
        for doc in documents:
            family = "messages" if doc.type == "message" else "events"
            path = f"/{self.prefix}-{family}-{DAY}/_create/{doc.uid}"
            self.cluster.call("PUT", path, doc.value, params={"refresh": "true"})

    def close(self) -> None:
        self.cluster.call("DELETE", f"/{self.prefix}-events-{DAY},{self.prefix}-messages-{DAY}")
        self.cluster.close()
        admin = AdminClient(self.client)  # kept until its answers are there
        topics = self.topics
        names = [topics.masked, topics.leaves, topics.checkpoints, topics.deadletter]
        for done in admin.delete_topics(names).values():
            done.result(60)


@pytest.mark.engines
def test_a_session_goes_out_and_verifies_anywhere(tmp_path: Path, stack: Endpoints) -> None:
    """Sealed and stored by real engines, exported, verified; then with a document deleted and one edited."""
    write = Strand()
    deployment, docs = Deployment(tmp_path / "home", stack), story(write)
    boot = Boot(signer=deployment.gateway)
    beats = [boot.opening(), boot.beat(state(write, is_open=False)), boot.beat()]
    try:
        deployment.seal([filler(1), *docs, *beats, filler(2)])
        deployment.index([*docs, *beats])
        trust, file = tmp_path / "trust.yaml", tmp_path / "session.tacho"
        said = run("trust", "--config", deployment.file)
        trust.write_text(said.stdout)
        done = run("export", str(SESSION)[:8], "-o", file, "--config", deployment.file)
        assert done.exit_code == 0, done.output
        assert "9 documents, 9 leaves" in done.stderr
        report = json.loads(run("verify", file, "--trust", trust, "--json").stdout)
        assert report["verdict"] == "complete", report
        assert report["states"]["PRESENT"] == 7
        assert run("export", str(SESSION), "-o", file, "--config", deployment.file).exit_code != 0
        path = f"/{deployment.prefix}-events-{DAY}/_doc"
        deployment.cluster.call("DELETE", f"{path}/{docs[4].uid}", params={"refresh": "true"})
        gone = tmp_path / "gone.tacho"
        assert (
            "1 leaves have no document"
            in run("export", str(SESSION), "-o", gone, "--config", deployment.file).stderr
        )
        assert run("verify", gone, "--trust", trust).exit_code == 53
        edited = docs[1].value.replace(b"record 2", b"record 9")
        deployment.cluster.call("PUT", f"{path}/{docs[1].uid}", edited, params={"refresh": "true"})
        altered = tmp_path / "altered.tacho"
        run("export", str(SESSION), "-o", altered, "--config", deployment.file)
        assert run("verify", altered, "--trust", trust).exit_code == 31
    finally:
        deployment.close()


@pytest.mark.engines
def test_what_opensearch_refused_goes_out_as_it_was_sealed(tmp_path: Path, stack: Endpoints) -> None:
    """A stub lies in its place; the dead letter has the document, and the leaf says that it is this one."""
    deployment, docs = Deployment(tmp_path / "home", stack), story(Strand())
    trust, file = tmp_path / "trust.json", tmp_path / "session.tacho"
    try:
        deployment.seal([filler(1), *docs, filler(2)])
        stub = {"tacho": {"session": str(SESSION), "type": docs[2].type, "stub": {"reason": "too-deep"}}}
        stored = replace(docs[2], value=canonical_json({"time": 0, "unmapped": stub}))
        deployment.index([*docs[:2], stored, *docs[3:]])
        producer = Producer(deployment.client)
        producer.produce(deployment.topics.deadletter, docs[2].value, headers=[("uid", docs[2].uid)])
        assert producer.flush(30) == 0
        said = json.loads(run("trust", "--json", "--config", deployment.file).stdout)
        trust.write_text(json.dumps({name: said[name] for name in said if name != "gateways"}))
        done = run("export", str(SESSION), "-o", file, "--config", deployment.file)
        assert "1 of them OpenSearch refused" in done.stderr, done.output
        assert run("verify", file, "--trust", trust).exit_code == 0
    finally:
        deployment.close()


def test_nothing_in_a_bundle_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor can it begin a line of the report: a leaf may be of any type, a key of any name."""
    odd = "\x1b[2J\ncomplete: everything is there"
    finding = Finding(Verdict.RECORD_ALTERED, odd, odd)
    _show(Report(Verdict.RECORD_ALTERED, findings=(finding,), sealed=((odd, 1, odd),), unchecked=(odd,)))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not any(line.startswith("complete") for line in out.splitlines())
