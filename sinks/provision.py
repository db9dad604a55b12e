"""Everything that must exist before the first record: topics, index templates, dashboards. Safe to repeat.

Creates what is missing, alters what differs, touches nothing else, and says each thing that it did. What it
will not do on its own (move sessions to other partitions) it reports as `differs`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import orjson

from tachograph.schemas.config import Configuration
from tachograph.schemas.config import OpenSearch as Settings
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.access import kafka_client, read_secret
from tachograph.sinks.client import Cluster
from tachograph.sinks.dashboards.importer import Importer
from tachograph.sinks.errors import CallRefused, DependencyDown, OperatorError, Unavailable
from tachograph.sinks.index_templates import (
    CHECKPOINTS,
    FAMILIES,
    KEPT,
    Template,
    checkpoint_mappings,
    effective,
    mappings,
    templates,
)
from tachograph.sinks.topic_admin import TopicAdmin

__all__ = ["ENGINE_SECONDS", "Report", "Step", "provision"]

ENGINE_SECONDS = 60.0
"""How long an engine that is still starting, or has too much to do, is waited for."""
_ASK_AGAIN_SECONDS = 0.5
T = TypeVar("T")
Action = Literal["created", "altered", "unchanged", "differs", "imported", "manual"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing, and what was done about it."""

    kind: Literal["topic", "template", "mapping", "dashboards"]
    name: str
    action: Action
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.action}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Report:
    """All steps in order."""

    steps: tuple[Step, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was created, altered or imported."""
        return any(step.action in {"created", "altered", "imported"} for step in self.steps)

    @property
    def complete(self) -> bool:
        """Whether nothing is left that somebody must decide."""
        return all(step.action != "differs" for step in self.steps)


def provision(config: Configuration, *, base: Path, progress: Callable[[str], None]) -> Report:
    """Bring Kafka and OpenSearch to what the configuration says; `progress` gets one line a step.

    Raises `DependencyDown` when an engine does not answer within `ENGINE_SECONDS`, `OperatorError` when it
    refuses or something else overrides what was put.
    """
    steps: list[Step] = []

    def done(step: Step) -> None:
        steps.append(step)
        progress(str(step))

    _topics(config, base, done)
    cluster = Cluster(config.opensearch, base=base)
    try:
        _wait_for(cluster.version, "OpenSearch")
        _templates(config.opensearch, cluster, done)
    except CallRefused as fault:
        raise OperatorError(f"{fault}; correct the cluster or its user's rights and run again") from None
    finally:
        cluster.close()
    done(_dashboards(config.opensearch, base))
    return Report(tuple(steps))


def _topics(config: Configuration, base: Path, done: Callable[[Step], None]) -> None:
    kafka = config.kafka
    admin = TopicAdmin(kafka_client(kafka, base=base))
    existing = _wait_for(admin.existing, "Kafka")
    specs = topic_specs(
        kafka.topics,
        partitions=kafka.partitions,
        raw_retention_hours=kafka.raw_retention_hours,
        masked_retention_hours=kafka.masked_retention_hours,
        replication_factor=kafka.replication_factor,
        escrow_days=config.escrow.retention_days,
    )
    missing = [spec for spec in specs if spec.name not in existing]
    admin.create(*missing, copies=kafka.replication_factor)
    for spec in specs:
        if spec in missing:
            done(Step("topic", spec.name, "created", f"{spec.partitions} partitions"))
            continue
        changes = admin.align(spec)
        done(Step("topic", spec.name, "altered" if changes else "unchanged", ", ".join(changes)))
        if existing[spec.name] != spec.partitions:
            detail = (
                f"{existing[spec.name]} partitions, configured {spec.partitions}: changing it moves sessions"
            )
            done(Step("topic", spec.name, "differs", detail))


def _templates(settings: Settings, cluster: Cluster, done: Callable[[Step], None]) -> None:
    prefix = settings.index_prefix
    for template in templates(prefix, shards=settings.shards, replicas=settings.replicas):
        done(_template(template, cluster))
    expected = {f"{prefix}-{family}-2000.01.01": mappings() for family in FAMILIES}
    expected |= {f"{prefix}-{KEPT}": mappings(), f"{prefix}-{CHECKPOINTS}": checkpoint_mappings()}
    for name, mapped in expected.items():
        path = f"/_index_template/_simulate_index/{name}"
        simulated = orjson.loads(_wait_for(partial(cluster.call, "POST", path), "OpenSearch"))
        if differing := effective(
            simulated, shards=settings.shards, replicas=settings.replicas, mapped=mapped
        ):
            raise OperatorError(
                f"indices like {name} would differ from our templates in {', '.join(differing)}:"
                " another template of the cluster overrides them; remove it or lower its priority"
            )


def _template(template: Template, cluster: Cluster) -> Step:
    found = _wait_for(partial(cluster.get, template.path), "OpenSearch")
    put = partial(cluster.put, template.path, template.body)
    if found is None:
        _wait_for(put, "OpenSearch")
        return Step("template", template.name, "created")
    if f'"digest":"{template.digest}"'.encode() in orjson.dumps(found):
        return Step("template", template.name, "unchanged")
    _wait_for(put, "OpenSearch")
    return Step("template", template.name, "altered", "holds for the next daily index")


def _dashboards(settings: Settings, base: Path) -> Step:
    if settings.dashboards_url is None:
        return Step("dashboards", "overview", "manual", Importer.by_hand(settings.index_prefix))
    password = None if settings.password is None else read_secret(settings.password, base=base)
    login = None if settings.username is None else (settings.username, password or "")
    ca_file = None if settings.ca_file is None else base / settings.ca_file
    importer = Importer(settings.dashboards_url, login=login, ca_file=ca_file)
    count = _wait_for(lambda: importer.run(settings.index_prefix), "OpenSearch Dashboards")
    return Step("dashboards", "overview", "imported", f"{count} objects")


def _wait_for(ask: Callable[[], T], engine: str) -> T:
    end = time.monotonic() + ENGINE_SECONDS
    while True:
        try:
            return ask()
        except Unavailable as fault:
            if time.monotonic() >= end:
                raise DependencyDown(f"{engine}: {fault} (asked for {ENGINE_SECONDS:.0f} s)") from None
        time.sleep(_ASK_AGAIN_SECONDS)
