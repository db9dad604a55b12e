"""The topics' side of a deletion: against a Kafka that is away, and what is waited for against a real one."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from deletions import DELETER, statement
from world import LOG, ORIGIN, story

from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics.deletion import ledger as module
from tachograph.forensics.deletion.document import statement_document
from tachograph.forensics.deletion.ledger import Ledger
from tachograph.forensics.errors import LogUnreachable, NotSealed
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.topics import Topics, TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

SECONDS = 60.0
MADE = statement_document(statement(story(), {0: 1}), DELETER)


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound, and before anything is deleted."""
    for name in ("ASK_SECONDS", "FLUSH_SECONDS"):
        monkeypatch.setattr(module, name, 0.3)
    monkeypatch.setattr("tachograph.forensics.partition.ASK_SECONDS", 0.3)
    ledger = Ledger({"bootstrap.servers": "127.0.0.1:1"}, Topics("none"))
    for ask in (ledger.end, lambda: ledger.keys_of([uuid.uuid4()]), lambda: ledger.publish([(0, MADE)])):
        with pytest.raises(LogUnreachable) as error:
            ask()
        assert error.value.exit_code == 3
    ledger.close()


@pytest.mark.engines
def test_it_waits_for_a_checkpoint_beyond_the_statement(
    stack: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier one, another log's and what is none do not count; the keys of other sessions stay."""
    topics, client = Topics(f"ledger-{uuid.uuid4().hex[:12]}"), {"bootstrap.servers": stack.bootstrap_servers}
    admin, names = AdminClient(client), [topics.masked, topics.checkpoints, topics.keys]
    TopicAdmin(client).create(*(TopicSpec(name, 1) for name in names))
    ledger, producer = Ledger(client, topics), Producer(client)
    ours, other = uuid.uuid4(), uuid.uuid4()
    try:
        start = ledger.end()
        offset = ledger.publish([(0, MADE)])[0]
        for origin, upto in ((ORIGIN, offset), ("another/0", offset + 1)):
            text = Checkpoint(origin, 1, bytes(32), time="2026-01-02T03:04:05Z", offset=upto).text()
            producer.produce(topics.checkpoints, LOG.sign(text).encode(), partition=0)
        producer.produce(topics.checkpoints, b"\x30\x82", partition=0)
        assert producer.flush(60) == 0
        with pytest.raises(NotSealed):
            ledger.wait({ORIGIN: offset}, start=start, seconds=1)
        text = Checkpoint(ORIGIN, 1, bytes(32), time="2026-01-02T03:04:06Z", offset=offset + 1).text()
        producer.produce(topics.checkpoints, LOG.sign(text).encode(), partition=0)
        for session in (ours, other):
            producer.produce(topics.keys, b"wrapped", f"{session}/{uuid.uuid4()}")
        assert producer.flush(60) == 0
        ledger.wait({ORIGIN: offset}, start=start, seconds=SECONDS)
        (key,) = ledger.keys_of([ours])
        assert key.startswith(str(ours).encode())
        ledger.shred([key])
        assert ledger.keys_of([ours]) == []
        assert len(ledger.keys_of([other])) == 1
    finally:
        ledger.close()
        for done in admin.delete_topics(names).values():
            done.result(60)
