"""What `tacho doctor` looks at: each check says what it found and what to do, and never raises."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException

from tachograph.cli.api_keys import ApiKeys
from tachograph.cli.errors import CliError
from tachograph.cli.settings import Settings
from tachograph.credentials.data_keys import transit_of
from tachograph.credentials.errors import CredentialsError
from tachograph.credentials.keeper import Keeper
from tachograph.credentials.opening import identities_of, keeper_of, kept, sources_of
from tachograph.credentials.provider import place
from tachograph.processors.asking import asked, partitions, span
from tachograph.processors.errors import BrokerFault
from tachograph.processors.stops import read_stops
from tachograph.schemas.key_settings import Transit
from tachograph.schemas.secret_source import SecretSource
from tachograph.schemas.topics import TopicSpec, topic_specs
from tachograph.sinks.access import kafka_client
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import CallRefused, SinkError, Unavailable
from tachograph.sinks.index_templates import templates
from tachograph.sinks.topic_admin import TopicAdmin

__all__ = ["LAG_WARNING", "Check", "Verdict", "examine"]

ASK_SECONDS = 5.0
LAG_WARNING = 10_000
"""Records that a group may be behind before it is worth a look."""
SPOOL_WARNING = 0.5
"""Share of its bound from which the spool is worth a look."""


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `remedy` is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Every check in the order in which things depend on each other."""
    yield Check("configuration", Verdict.OK, str(settings.file))
    yield from _keys(settings)
    yield from _registry(settings)
    yield from _credentials(settings)
    yield _spool(settings)
    yield from _kafka(settings)
    yield from _opensearch(settings)


def _keys(settings: Settings) -> Iterator[Check]:
    keys = settings.configuration.keys
    for name, file in (("key-encryption key", keys.kek_file), ("pseudonym key", keys.pseudonym_file)):
        yield _private(name, settings.base / file)
    if keys.transit is not None:
        yield _transit(settings, keys.transit)
    yield _control_key(settings)
    yield _later_key("log key", settings.base / keys.log_file, remedy="for `tacho seal`: tacho up")
    signing = "for heartbeats, which show a lost tail or strand: tacho up"
    yield _later_key("signing key", settings.base / keys.signing_file, remedy=signing)
    stored = ApiKeys(settings.base / settings.configuration.identity.api_keys_file)
    try:
        count = sum(entry.revoked is None for entry in stored.entries())
    except CliError as error:
        yield Check(
            "API keys", Verdict.BAD, str(error), "restore the file, or make new keys: tacho keys create NAME"
        )
        return
    if count or settings.configuration.identity.oidc:
        yield Check("API keys", Verdict.OK, f"{count} not revoked")
    else:
        yield Check("API keys", Verdict.BAD, "none, so nobody can come in", "tacho keys create NAME")


def _transit(settings: Settings, transit: Transit) -> Check:
    """What the login here may do with the key in Vault, asked by doing it with a data key of nothing."""
    name, where = "transit key", f"{transit.mount}/{transit.key}"
    try:
        with closing(transit_of(settings.configuration, base=settings.base)) as key:
            wrap, open_ = key.refusals()
    except CredentialsError as error:
        remedy = "until then no session begins, and records wait to be masked"
        return Check(name, Verdict.BAD, error.detail, remedy)
    if wrap and open_:
        return Check(name, Verdict.BAD, wrap, "see its type, and the policies in docs/evidence.md")
    if wrap:
        remedy = f"right for a processor; a gateway needs `update` on {transit.mount}/encrypt/{transit.key}"
        return Check(name, Verdict.WARNING, f"{where} opens data keys, but wraps none", remedy)
    if open_:
        remedy = f"right for a gateway; a processor needs `update` on {transit.mount}/decrypt/{transit.key}"
        return Check(name, Verdict.WARNING, f"{where} wraps data keys, but opens none", remedy)
    return Check(name, Verdict.OK, f"{where} wraps and opens data keys")


def _control_key(settings: Settings) -> Check:
    """Who follows the control topic cannot start without it; who has a file can, and follows nothing."""
    config = settings.configuration
    path = settings.base / config.keys.control_file
    if config.registry.source == "topic":
        return _private("control key", path)
    return _later_key(
        "control key", path, remedy="if a changed file is to be in force without a restart: tacho up"
    )


def _registry(settings: Settings) -> Iterator[Check]:
    """What the file registers, compiled as the parts do; and the key for what its policies ask of people."""
    from tachograph.cli.registry.sources import check, of_configuration  # Cedar takes long to load

    config = settings.configuration
    asking: tuple[str, ...] = ()
    try:
        registry = of_configuration(config, base=settings.base)
        asking = check(registry, config)
    except CliError as error:
        remedy = "correct it (`tacho policy check` tells more); a running ingress keeps what it had"
        yield Check("registry", Verdict.BAD, str(error), remedy)
    else:
        counts = f"{len(registry.connections)} connections, {len(registry.policies)} policy files"
        yield Check("registry", Verdict.OK, f"{counts}, digest {registry.digest[:16]}")
    yield _approvals_key(settings.base / config.keys.approvals_file, asking)


def _approvals_key(path: Path, asking: tuple[str, ...]) -> Check:
    """`asking` are the policies that need it."""
    found = _later_key("approvals key", path, remedy="if requests are to wait for reviewers: tacho up")
    if not asking or path.exists():
        return found
    text = f"{found.found}; what these policies ask people for is denied: {', '.join(asking)}"
    return Check("approvals key", Verdict.BAD, text, "tacho up")


def _private(name: str, path: Path) -> Check:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Check(
            name, Verdict.BAD, f"{path}: {error.strerror}", "restore it; `tacho up` makes one in a new home"
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(name, Verdict.BAD, f"{path}: others can get at it", f"chmod 600 {path}")
    return Check(name, Verdict.OK, str(path))


def _later_key(name: str, path: Path, *, remedy: str) -> Check:
    """A key that homes of earlier releases do not have, and that not every part needs."""
    found = _private(name, path)
    return found if path.exists() else replace(found, verdict=Verdict.WARNING, remedy=remedy)


def _credentials(settings: Settings) -> Iterator[Check]:
    """Each connection's credential is read as its ingress would read it; what it is shows nowhere."""
    try:
        keeper = keeper_of(settings.configuration, base=settings.base)
    except CredentialsError as error:
        yield Check("credentials", Verdict.BAD, error.detail, "correct credentials.vault")
        return
    with kept(keeper):
        for connection, source in sources_of(settings.configuration):
            yield _credential("credential", connection, source, keeper)
        for connection, source in identities_of(settings.configuration):
            yield _credential("client certificate", connection, source, keeper)


def _credential(kind: str, connection: str, source: SecretSource, keeper: Keeper) -> Check:
    name = f"{kind} of {connection}"
    try:
        keeper.value(source)
    except CredentialsError as error:
        if source.env is not None and not os.environ.get(source.env):
            remedy = f"set {source.env} where `tacho ingress` runs, if agents are to use {connection}"
            return Check(name, Verdict.WARNING, f"{source.env} is not set here", remedy)
        return Check(name, Verdict.BAD, error.detail, f"until then {connection} answers 502")
    return Check(name, Verdict.OK, f"from {place(source)}")


def _spool(settings: Settings) -> Check:
    spool = settings.configuration.ingress.spool
    folder = settings.base / spool.path
    try:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        return Check("spool", Verdict.BAD, f"{folder}: {error.strerror}", "make it readable")
    found = f"{size / 1e6:.1f} of {spool.max_bytes / 1e6:.0f} MB"
    if size > spool.max_bytes * SPOOL_WARNING:
        return Check(
            "spool", Verdict.WARNING, found, "Kafka does not take what is recorded: see the checks below"
        )
    return Check("spool", Verdict.OK, found)


def _kafka(settings: Settings) -> Iterator[Check]:
    kafka = settings.configuration.kafka
    where = kafka.bootstrap_servers
    try:
        client = kafka_client(kafka, base=settings.base) | {"log_level": 0}
        admin = TopicAdmin(client)
        existing = admin.existing()
    except SinkError as error:
        yield Check("Kafka", Verdict.BAD, f"{where}: {error}", "tacho up, or correct kafka.bootstrap_servers")
        return
    yield Check("Kafka", Verdict.OK, where)
    specs = topic_specs(
        kafka.topics,
        partitions=kafka.partitions,
        raw_retention_hours=kafka.raw_retention_hours,
        masked_retention_hours=kafka.masked_retention_hours,
        replication_factor=kafka.replication_factor,
        escrow_days=settings.configuration.escrow.retention_days,
    )
    for spec in specs:
        yield _topic(admin, spec, existing.get(spec.name))
    if all(spec.name in existing for spec in specs):
        yield from _flow(settings, client)


def _topic(admin: TopicAdmin, spec: TopicSpec, partitions: int | None) -> Check:
    name = f"topic {spec.name}"
    if partitions is None:
        return Check(name, Verdict.BAD, "does not exist", "tacho provision")
    try:
        differing = admin.differing(spec)
    except SinkError as error:
        return Check(name, Verdict.WARNING, str(error), "allow DescribeConfigs on it")
    if differing:
        return Check(name, Verdict.WARNING, f"differs in {', '.join(sorted(differing))}", "tacho provision")
    if partitions != spec.partitions:
        found = f"{partitions} partitions, configured {spec.partitions}"
        return Check(name, Verdict.WARNING, found, "set kafka.partitions to what there is")
    return Check(name, Verdict.OK, f"{partitions} partitions, as specified")


def _flow(settings: Settings, client: dict[str, Any]) -> Iterator[Check]:
    kafka, prefix = settings.configuration.kafka, settings.configuration.opensearch.index_prefix
    sink = f"{kafka.topic_prefix}.sink.opensearch.{prefix}"
    groups = (
        ("lag of the processors", f"{kafka.topic_prefix}.processors", kafka.topics.raw, "tacho process"),
        ("lag of the sink", sink, kafka.topics.masked, "tacho sink"),
        ("lag of the logs", f"{kafka.topic_prefix}.sealing", kafka.topics.masked, "tacho seal"),
    )
    for name, group, topic, command in groups:
        lag = _unread(client, group, topic)
        if lag is None:
            yield Check(name, Verdict.WARNING, "cannot be read", f"allow the user to read group {group}")
        elif lag > LAG_WARNING:
            yield Check(
                name, Verdict.WARNING, f"{lag} records", f"see the log of `{command}`, or run more of them"
            )
        else:
            yield Check(name, Verdict.OK, f"{lag} records")
    yield _stops(client, kafka.topics.stops)
    yield _dead(_unread(client, "tacho-doctor", kafka.topics.deadletter), kafka.topics.deadletter)


def _stops(client: dict[str, Any], topic: str) -> Check:
    try:
        standing = read_stops(client, topic)
    except BrokerFault as error:
        return Check("stops", Verdict.WARNING, str(error), f"allow the user to read {topic}")
    if not standing:
        return Check("stops", Verdict.OK, "no partition stands still")
    numbers = ", ".join(map(str, sorted(standing)))
    found = f"partition {numbers} stands still: a canary could be read behind the masker"
    return Check("stops", Verdict.BAD, found, "tacho canary stops; mend it; then tacho canary acknowledge")


def _dead(count: int | None, topic: str) -> Check:
    if count is None:
        return Check("dead letter", Verdict.WARNING, "cannot be read", f"allow the user to read {topic}")
    if count:
        return Check(
            "dead letter", Verdict.WARNING, f"{count} records", f"their Kafka headers on {topic} say why"
        )
    return Check("dead letter", Verdict.OK, "empty")


def _unread(client: dict[str, Any], group: str, topic: str) -> int | None:
    """Records of a topic that a group has not committed; of a group that never did, all. None: no answer."""
    consumer = Consumer(client | {"group.id": group, "enable.auto.commit": False})
    try:
        places = partitions(consumer, topic, timeout_s=ASK_SECONDS)
        found = asked(lambda: consumer.committed(places, timeout=ASK_SECONDS))
        committed = {place.partition: place.offset for place in found}
        unread = 0
        for place in places:
            low, high = span(consumer, place, timeout_s=ASK_SECONDS)
            unread += high - max(committed.get(place.partition, low), low)
    except (KafkaException, BrokerFault):
        return None
    finally:
        consumer.close()
    return unread


def _opensearch(settings: Settings) -> Iterator[Check]:
    told = settings.configuration.opensearch
    try:
        cluster = Cluster(told, base=settings.base)
        version = cluster.version()
    except (Unavailable, CallRefused, SinkError) as error:
        yield Check(
            "OpenSearch",
            Verdict.BAD,
            f"{told.url}: {error}",
            "tacho up, or correct opensearch.url",
        )
        return
    yield Check("OpenSearch", Verdict.OK, f"{told.url}, version {version}")
    try:
        for template in templates(told.index_prefix, shards=told.shards, replicas=told.replicas):
            yield _template(cluster, template.path, template.name, template.digest)
    except (Unavailable, CallRefused) as error:
        yield Check("templates", Verdict.WARNING, str(error), "allow the user to read templates")


def _template(cluster: Cluster, path: str, name: str, digest: str) -> Check:
    found = cluster.get(path)
    if found is None:
        return Check(f"template {name}", Verdict.BAD, "does not exist", "tacho provision")
    if f"'digest': '{digest}'" not in str(found):
        return Check(f"template {name}", Verdict.WARNING, "is not this release's", "tacho provision")
    return Check(f"template {name}", Verdict.OK, "as specified")
