"""The sealing worker on a real Kafka: every record once, in order, signed, whatever is killed."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from tachograph.cli.stack.engines import Endpoints
from tachograph.processors.errors import OperatorError
from tachograph.processors.sealing.worker import Sealer, Watch, World, origin_of, signer_of
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import Tree, leaf_hash
from tachograph.schemas.note import open_note
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

Headers = list[tuple[str, str | bytes | None]]
PARTITIONS = 2
SETTINGS = Sealing(checkpoint_leaves=50, checkpoint_seconds=600)
WAIT_SECONDS = 120.0


@dataclass
class Sea:
    """Topics of the test's own, with what was written to the masked one."""

    bootstrap: str
    topics: Topics
    key_file: Path
    written: dict[int, list[bytes]]

    @property
    def client(self) -> dict[str, str]:
        return {"bootstrap.servers": self.bootstrap}

    def write(self, count: int) -> None:
        producer = Producer(self.client)
        for _ in range(count):
            partition = len(self.written[0]) > len(self.written[1])
            value = f"record {uuid.uuid4()}".encode()
            headers: Headers = [("uid", str(uuid.uuid4())), ("type", "request"), ("day", "2026.01.02")]
            producer.produce(self.topics.masked, value, partition=int(partition), headers=headers)
            self.written[int(partition)].append(value)
        assert producer.flush(WAIT_SECONDS) == 0

    def sealer(self, world: World | None = None) -> Sealer:
        return Sealer(self.client, self.topics, SETTINGS, signers=signer_of(self.key_file), world=world)

    def read(self, topic: str, partition: int, *, settled: bool = True) -> list[bytes]:
        """Everything committed on a partition; also what its writer knows to be, and readers in a moment."""
        end = self.end(topic, partition) if settled else 0
        consumer = Consumer(
            self.client
            | {"group.id": "look", "isolation.level": "read_committed", "enable.partition.eof": "true"}
        )
        consumer.assign([TopicPartition(topic, partition, 0)])
        found: list[bytes] = []
        while True:
            message = consumer.poll(WAIT_SECONDS)
            assert message is not None
            error = message.error()
            if error is None:
                found.append(message.value() or b"")
                continue
            assert error.code() == KafkaError._PARTITION_EOF
            if (message.offset() or 0) >= end:
                consumer.close()
                return found

    def end(self, topic: str, partition: int) -> int:
        """Behind the last message, whether its transaction has ended or not."""
        consumer = Consumer(self.client | {"group.id": "look", "isolation.level": "read_uncommitted"})
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=WAIT_SECONDS)
        consumer.close()
        return int(high)

    def sealed(self, *, settled: bool = True) -> int:
        leaves = self.topics.leaves
        return sum(len(self.read(leaves, number, settled=settled)) for number in range(PARTITIONS))

    def checkpoints(self, partition: int) -> list[Checkpoint]:
        """Each signed statement about one partition's log, in order; the signature is checked."""
        origin = origin_of(SETTINGS, self.topics, partition)
        key = signer_of(self.key_file)(origin).key
        notes = [note.decode() for note in self.read(self.topics.checkpoints, 0)]
        mine = [note for note in notes if note.startswith(f"{origin}\n")]
        return [Checkpoint.parse(open_note(note, [key]).text) for note in mine]

    def check(self) -> None:
        """Leaves are the records in order, each once; every checkpoint is a root of that one tree."""
        for partition, values in self.written.items():
            leaves = [Leaf.parse(data) for data in self.read(self.topics.leaves, partition)]
            assert [leaf.leaf for leaf in leaves] == [leaf_hash(value).hex() for value in values]
            assert [leaf.index for leaf in leaves] == list(range(len(values)))
            tree = Tree(map(leaf_hash, values))
            sizes = []
            for said in self.checkpoints(partition):
                assert said.root == tree.root(said.size)
                sizes.append(said.size)
            assert sizes == sorted(sizes)


@pytest.fixture
def sea(stack: Endpoints, tmp_path: Path) -> Sea:
    topics = Topics(f"sea-{uuid.uuid4().hex[:12]}")
    sizes = {topics.masked: PARTITIONS, topics.leaves: PARTITIONS, topics.checkpoints: 1}
    admin = TopicAdmin({"bootstrap.servers": stack.bootstrap_servers})
    admin.create(*(TopicSpec(name, size) for name, size in sizes.items()))
    key_file = tmp_path / "log"
    key_file.write_text(base64.b64encode(bytes(range(32))).decode())
    key_file.chmod(0o600)
    return Sea(stack.bootstrap_servers, topics, key_file, {number: [] for number in range(PARTITIONS)})


def _until(sealer: Sealer, leaves: int) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while sealer.sealed < leaves:
        sealer.turn()
        assert time.monotonic() < end, f"{sealer.sealed} of {leaves} sealed"


def test_every_record_is_sealed_once_and_signed(sea: Sea) -> None:
    """Two partitions, a stop in the middle and a second process: one tree each, and roots that are signed."""
    sea.write(120)
    first = sea.sealer()
    first.subscribe()
    _until(first, 120)
    first.close()
    sea.write(60)
    second = sea.sealer()
    second.subscribe()
    _until(second, 60)
    second.close()
    sea.check()
    assert sea.sealed() == 180
    assert sea.checkpoints(0)[-1].size >= 50


def test_silence_is_signed_too(sea: Sea) -> None:
    """Without a record a checkpoint comes at the start, and again when its time has passed."""
    clock = [0.0]
    sealer = sea.sealer(World(now=lambda: "2026-01-02T03:04:05Z", monotonic=lambda: clock[0]))
    sealer.subscribe()
    end = time.monotonic() + WAIT_SECONDS
    while len(sealer.partitions) < PARTITIONS:
        sealer.turn()
        assert time.monotonic() < end
    sealer.turn()
    clock[0] += SETTINGS.checkpoint_seconds - 1
    sealer.turn()
    assert [said.size for said in sea.checkpoints(0)] == [0]
    clock[0] += 1
    sealer.turn()
    sealer.close()
    assert [(said.size, said.time) for said in sea.checkpoints(1)] == [(0, "2026-01-02T03:04:05Z")] * 2


def test_it_is_ready_while_its_turns_go_well() -> None:
    """Not before the first, not after a fault, not when it is stuck; and ready again after the next."""
    now = [0.0]
    watch = Watch(lambda: now[0])
    assert watch.readiness().refusing == "not yet in its group"
    watch.turned(2)
    assert (watch.readiness().refusing, watch.readiness().details["partitions"]) == ("", 2)
    assert watch.failed() == 1
    assert watch.failed() == 2
    assert watch.readiness().refusing == "Kafka fails"
    watch.turned(2)
    now[0] = 61
    assert "no turn" in watch.readiness().refusing


def test_a_missing_topic_is_the_operators(sea: Sea) -> None:
    """Without its topics the worker says what to do."""
    sealer = Sealer(sea.client, Topics("nobody"), SETTINGS, signers=signer_of(sea.key_file))
    with pytest.raises(OperatorError, match="tacho provision"):
        sealer.check()
    sealer.close()


def test_killed_and_killed_again_it_makes_one_tree(sea: Sea) -> None:
    """kill -9 in the middle of the work, twice: nothing is missing, twice, or forked."""
    config = sea.key_file.parent / "tacho.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{sea.bootstrap}', topic_prefix: {sea.topics.prefix}}}\n"
        f"keys: {{log_file: {sea.key_file}}}\nsealing: {{checkpoint_leaves: 50}}\n"
    )
    code = (
        "import sys; from pathlib import Path; from tachograph.schemas.document import load_configuration; "
        "from tachograph.processors.sealing import worker; file = Path(sys.argv[1]); "
        "worker.run(load_configuration(file.read_text(), file=str(file)), base=file.parent)"
    )
    for life in range(3):
        sea.write(400)
        wanted = sum(map(len, sea.written.values()))
        with subprocess.Popen(
            [sys.executable, "-c", code, str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            end = time.monotonic() + WAIT_SECONDS
            # Killed as soon as anything of this life is committed; the last one may finish.
            target = wanted if life == 2 else wanted - 399
            while sea.sealed(settled=False) < target:
                assert process.poll() is None
                assert time.monotonic() < end
            os.kill(process.pid, signal.SIGKILL if life < 2 else signal.SIGTERM)
            process.wait(WAIT_SECONDS)
    sea.check()
    assert sea.sealed() == 1200
