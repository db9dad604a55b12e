"""Topics are created with everything explicit: names, partitions, retention, segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.approval_book import MEMORY_MS
from tachograph.schemas.topics import MAX_RECORD_BYTES, Topics, TopicSpec, topic_specs


def specs(**settings: int) -> dict[str, TopicSpec]:
    found = topic_specs(
        Topics("t"),
        partitions=settings.get("partitions", 4),
        raw_retention_hours=settings.get("raw", 24),
        masked_retention_hours=settings.get("masked", 168),
        replication_factor=settings.get("copies", 1),
        escrow_days=settings.get("escrow", 3650),
    )
    return {spec.name: spec for spec in found}


def test_every_topic_is_named_under_one_prefix() -> None:
    """These topics, no other."""
    topics = Topics("t")
    wanted = {"raw", "masked", "leaves", "checkpoints", "keys", "deadletter", "approvals", "stops", "control"}
    wanted |= {"escrow", "releases"}
    assert specs().keys() == {f"t.{name}" for name in wanted}
    assert {getattr(topics, name) for name in wanted} == specs().keys()
    assert Topics().raw == "tacho.raw"


@given(st.integers(1, 24 * 30))
def test_raw_data_lives_its_retention_and_little_more(hours: int) -> None:
    """A segment is at most a twelfth of the retention, and never shorter than a minute."""
    config = specs(raw=hours)["t.raw"].config
    assert int(config["retention.ms"]) == hours * 3_600_000
    assert 60_000 <= int(config["segment.ms"]) <= int(config["retention.ms"]) / 12
    assert config["cleanup.policy"] == "delete"


def test_keys_are_compacted_and_never_expire() -> None:
    """A key that expired would shred what nobody asked to shred."""
    for name in ("t.keys", "t.stops"):  # a stop that expired would set a leak free
        config = specs()[name].config
        assert config["cleanup.policy"] == "compact"
        assert "retention.ms" not in config


def test_what_is_erased_leaves_the_escrow_within_days() -> None:
    """A tombstone is acted on however little else is new; the rest stays as long as it is told to."""
    config = specs(escrow=30)["t.escrow"].config
    assert config["cleanup.policy"] == "compact,delete"
    assert int(config["max.compaction.lag.ms"]) + int(config["segment.ms"]) <= 2 * 24 * 3_600_000
    assert int(config["retention.ms"]) == 30 * 24 * 3_600_000


def test_every_topic_takes_our_largest_record() -> None:
    """And the broker keeps the producer's compression."""
    for spec in specs().values():
        assert spec.config["max.message.bytes"] == str(MAX_RECORD_BYTES)
        assert spec.config["compression.type"] == "producer"


def test_partitions_are_those_of_the_configuration() -> None:
    """Session-scoped topics alike, so that a session stays on one number; the others have one."""
    found = specs(partitions=7)
    assert {name: spec.partitions for name, spec in found.items()} == {
        "t.raw": 7,
        "t.masked": 7,
        "t.leaves": 7,
        "t.checkpoints": 1,
        "t.keys": 1,
        "t.deadletter": 1,
        "t.approvals": 1,
        "t.stops": 1,
        "t.control": 1,
        "t.releases": 1,
        "t.escrow": 7,
    }


def test_the_broker_stamps_what_is_said_about_approvals() -> None:
    """The log's own time judges them, so no client may set it; all that can matter is kept."""
    found = specs()
    assert found["t.approvals"].config["message.timestamp.type"] == "LogAppendTime"
    assert found["t.approvals"].config["cleanup.policy"] == "delete"
    assert int(found["t.approvals"].config["retention.ms"]) > MEMORY_MS
    others = [spec for name, spec in found.items() if name != "t.approvals"]
    assert not any("message.timestamp.type" in spec.config for spec in others)


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_record_counts_when_a_second_copy_has_it(copies: int, in_sync: str) -> None:
    """Where there are three copies; with fewer, one more would stop everything when it is lost."""
    assert {spec.config["min.insync.replicas"] for spec in specs(copies=copies).values()} == {in_sync}
