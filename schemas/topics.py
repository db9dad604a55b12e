"""The topics: names, partitions, how long they keep what. Nothing else creates or names a topic."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ESCROW_DAYS", "TopicSpec", "Topics", "topic_specs"]

_HOUR_MS = 3_600_000
_MIB = 1 << 20
MAX_RECORD_BYTES = 2 * _MIB
"""A raw record holds at most 256 KiB of body; its masked JSON at worst escapes every byte."""

APPROVALS_DAYS = 30
"""How long the approvals topic shows who decided what; the sessions' own records keep it for longer."""

ESCROW_DAYS = 3650
"""How long the escrow keeps removed values, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names under one prefix."""

    prefix: str = "tacho"

    @property
    def raw(self) -> str:
        return f"{self.prefix}.raw"

    @property
    def masked(self) -> str:
        return f"{self.prefix}.masked"

    @property
    def keys(self) -> str:
        return f"{self.prefix}.keys"

    @property
    def leaves(self) -> str:
        return f"{self.prefix}.leaves"

    @property
    def checkpoints(self) -> str:
        return f"{self.prefix}.checkpoints"

    @property
    def deadletter(self) -> str:
        return f"{self.prefix}.deadletter"

    @property
    def stops(self) -> str:
        return f"{self.prefix}.stops"

    @property
    def approvals(self) -> str:
        return f"{self.prefix}.approvals"

    @property
    def control(self) -> str:
        return f"{self.prefix}.control"

    @property
    def releases(self) -> str:
        return f"{self.prefix}.releases"

    @property
    def escrow(self) -> str:
        return f"{self.prefix}.escrow"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as `tacho provision` creates it."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def topic_specs(
    topics: Topics,
    *,
    partitions: int,
    raw_retention_hours: int,
    masked_retention_hours: int,
    replication_factor: int = 1,
    escrow_days: int = ESCROW_DAYS,
) -> tuple[TopicSpec, ...]:
    """Every topic with explicit partitions, retention and segment size.

    Raw data really lives for retention plus one segment, so raw segments roll after a twelfth of it.
    """
    raw_ms = raw_retention_hours * _HOUR_MS
    # Where there are three copies, two must have a record before it counts.
    in_sync = str(2 if replication_factor >= 3 else 1)
    bound = {
        "min.insync.replicas": in_sync,
        "max.message.bytes": str(MAX_RECORD_BYTES),
        "compression.type": "producer",
    }
    delete = {"cleanup.policy": "delete"} | bound
    # What the log says is small, and worth nothing once a part of it is gone.
    kept = delete | {"retention.ms": "-1"}
    raw_segment = {"segment.ms": str(max(raw_ms // 12, 60_000)), "segment.bytes": str(64 * _MIB)}
    return (
        TopicSpec(topics.raw, partitions, delete | {"retention.ms": str(raw_ms)} | raw_segment),
        TopicSpec(
            topics.masked,
            partitions,
            delete
            | {"retention.ms": str(masked_retention_hours * _HOUR_MS), "segment.bytes": str(256 * _MIB)},
        ),
        TopicSpec(topics.leaves, partitions, kept | {"segment.bytes": str(256 * _MIB)}),
        TopicSpec(topics.checkpoints, 1, kept | {"segment.bytes": str(16 * _MIB)}),
        TopicSpec(topics.keys, 1, {"cleanup.policy": "compact", "segment.ms": str(24 * _HOUR_MS)} | bound),
        TopicSpec(
            topics.deadletter,
            1,
            delete | {"retention.ms": str(14 * 24 * _HOUR_MS), "segment.ms": str(24 * _HOUR_MS)},
        ),
        TopicSpec(topics.stops, 1, {"cleanup.policy": "compact", "segment.ms": str(24 * _HOUR_MS)} | bound),
        # Closed segments are compacted, so they close daily; a snapshot is a megabyte at most.
        TopicSpec(topics.control, 1, {"cleanup.policy": "compact", "segment.ms": str(24 * _HOUR_MS)} | bound),
        # Only ever appended to: whoever may write to it can take no release back.
        TopicSpec(topics.releases, 1, kept | {"retention.bytes": "-1"}),
        TopicSpec(topics.escrow, partitions, _escrow(escrow_days) | bound),
        # One partition is one order, and the broker's stamp is one clock for all who ask and decide.
        TopicSpec(
            topics.approvals,
            1,
            delete
            | {"retention.ms": str(APPROVALS_DAYS * 24 * _HOUR_MS), "segment.ms": str(24 * _HOUR_MS)}
            | {"message.timestamp.type": "LogAppendTime"},
        ),
    )


def _escrow(days: int) -> dict[str, str]:
    """Compacted, so that a tombstone takes out what was erased, and soon: no part of it may stay for long."""
    day = str(24 * _HOUR_MS)
    return {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(days * 24 * _HOUR_MS),
        "segment.ms": day,
        "segment.bytes": str(64 * _MIB),
        "max.compaction.lag.ms": day,
        "min.cleanable.dirty.ratio": "0.01",
    }
