"""The configuration of every process: one YAML file, one frozen value.

Relative paths in it are relative to the file. It holds no secret, only where secrets are read from.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tachograph.schemas.agent_listen import AgentListen
from tachograph.schemas.approval_settings import Approval
from tachograph.schemas.canary_settings import Canary
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.connection import Connection
from tachograph.schemas.console_settings import Console
from tachograph.schemas.escrow_settings import Escrow
from tachograph.schemas.identity_settings import Identity, OidcIssuer
from tachograph.schemas.key_settings import Keys
from tachograph.schemas.listen import Listen
from tachograph.schemas.policy_settings import Policies
from tachograph.schemas.retention_settings import Retention
from tachograph.schemas.sealing_settings import Sealing
from tachograph.schemas.secret_source import CredentialSources, PlainSource
from tachograph.schemas.topics import Topics

__all__ = [
    "Approval",
    "Configuration",
    "Console",
    "Escrow",
    "Identity",
    "Ingress",
    "Kafka",
    "Keys",
    "Listen",
    "Masking",
    "OidcIssuer",
    "OpenSearch",
    "Processor",
    "RegistrySettings",
    "Retention",
    "Sink",
    "Spool",
    "Stack",
]

_MIB = 1 << 20


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Spool(_Config):
    """The encrypted write-ahead file of each ingress worker. Full means 503, never an unrecorded request."""

    path: str = "spool"
    """A folder on a local disk, one folder in it for each worker."""
    max_bytes: Annotated[int, Field(ge=16 * _MIB)] = 1024 * _MIB
    """How much may wait there for Kafka, per worker."""
    segment_bytes: Annotated[int, Field(ge=_MIB)] = 64 * _MIB
    """When a new file begins; a file goes once Kafka has all of it."""


class Ingress(_Config):
    """The proxy's own limits."""

    listen: AgentListen = AgentListen()
    """Where agents come in."""
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that share the port."""
    spool: Spool = Spool()
    """What makes a request durable while Kafka is slow or down."""
    max_connections: Annotated[int, Field(ge=1)] = 1024
    """Agents' connections per worker; one more gets a 503."""
    max_header_bytes: Annotated[int, Field(ge=1024, le=_MIB)] = 64 * 1024
    """The largest request head; a larger one gets a 431."""
    header_timeout: Annotated[float, Field(gt=0)] = 10
    """Seconds that a request head may take."""
    idle_timeout: Annotated[float, Field(gt=0)] = 75
    """Seconds that an idle keep-alive connection is kept."""
    session_idle: Annotated[float, Field(gt=0)] = 1800
    """Seconds without an exchange after which a session is closed."""
    drain_timeout: Annotated[float, Field(gt=0)] = 10
    """Seconds that open exchanges get to finish at shut-down."""


class Kafka(_Config):
    """The broker. `client` passes librdkafka settings through (security, TLS); secrets there as files."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """`host:port` of some brokers, with commas between."""
    topic_prefix: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$")
    ] = "tacho"
    """Topics are `<prefix>.raw`, `<prefix>.masked` and so on."""
    client: dict[str, str] = Field(default_factory=dict)
    """Settings passed to librdkafka as they are, such as `security.protocol` or `sasl.username`."""
    password: PlainSource | None = None
    """Where `sasl.password` comes from."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Partitions of the raw and the masked topic; processors and sinks scale up to it."""
    replication_factor: Annotated[int, Field(ge=1, le=7)] = 1
    """Copies of each topic; with 3 or more, two must acknowledge."""
    raw_retention_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24
    """How long encrypted raw records live, plus at most one segment of a twelfth of it."""
    masked_retention_hours: Annotated[int, Field(ge=1)] = 24 * 7
    """How long masked events stay on the topic for late subscribers."""

    @field_validator("client")
    @classmethod
    def _no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        secret = [key for key in value if "password" in key or "secret" in key or key == "ssl.key.pem"]
        if secret:
            raise ValueError(f"{', '.join(secret)}: secrets go under `password`, from env or file")
        return value

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)


class OpenSearch(_Config):
    """The cluster that analysts search."""

    url: str = "http://127.0.0.1:9200"
    """The cluster, `http://` or `https://`."""
    dashboards_url: str | None = None
    """OpenSearch Dashboards, where `tacho provision` imports the dashboards."""
    index_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")] = "tacho"
    """Indices are `<prefix>-events-YYYY.MM.DD`, `<prefix>-messages-YYYY.MM.DD`, `<prefix>-deletions`
    and `<prefix>-checkpoints`."""
    username: str | None = None
    """The sink's user, where the security plugin is on."""
    password: PlainSource | None = None
    """Where that user's password comes from."""
    ca_file: str | None = None
    """PEM of the authority that signed the cluster's certificate; the system's store by default."""
    shards: Annotated[int, Field(ge=1, le=64)] = 1
    """Primary shards of each daily index."""
    replicas: Annotated[int, Field(ge=0, le=8)] = 0
    """Copies of each shard."""

    @field_validator("url", "dashboards_url")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        url = urlsplit(value or "http://none")
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("expected http://host[:port] or https://host[:port]")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("expected no userinfo, query or fragment: see `username` and `password`")
        return value


class Masking(_Config):
    """What the masker hides beyond its own pack."""

    rules: tuple[str, ...] = ()
    """Files of further rules in the gitleaks TOML layout."""
    headers: tuple[str, ...] = ()
    """Header names whose values are always hidden."""
    query: tuple[str, ...] = ()
    """Query and form parameters whose values are always hidden."""
    json_keys: tuple[str, ...] = ()
    """JSON keys whose values are always hidden, at any depth."""


class RegistrySettings(_Config):
    """Where connections, policies and masking rules come from while the parts run."""

    source: Literal["file", "topic"] = "file"
    """`file`: this file's own sections, followed while the ingress runs. `topic`: what `tacho apply` released
    last; this file's sections until the first release."""
    copy_file: str = "registry.copy"
    """Where an ingress keeps what was in force last, so that it can start while Kafka is away; signed."""


class Processor(_Config):
    """The worker that masks and enriches. It scales by further processes, up to the topic's partitions."""

    data_dir: str = "processor"
    """Its working folder: counts that outlive a crash, nothing of a record."""
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""
    hold_bytes: Annotated[int, Field(ge=_MIB)] = 24 * _MIB
    """The most that the masker holds of one long body, as sent and decoded; a larger one is withheld."""
    hold_seconds: Annotated[float, Field(gt=0)] = 900
    """The longest it holds one, by the records' own time."""


class Sink(_Config):
    """The worker that writes events into OpenSearch."""

    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""


class Stack(_Config):
    """Who runs Kafka and OpenSearch: `tacho up`, at the loopback ports of this file, or somebody else."""

    managed: bool = False
    """`tacho up` starts and stops them."""
    kafka_heap_mb: Annotated[int, Field(ge=256, le=65_536)] = 512
    """Kafka's heap in MiB."""
    opensearch_heap_mb: Annotated[int, Field(ge=256, le=65_536)] = 512
    """OpenSearch's heap in MiB."""


class Configuration(_Config):
    """Everything that every process needs to know."""

    version: Literal[1] = 1
    """The version of this format."""
    ingress: Ingress = Ingress()
    """The proxy."""
    kafka: Kafka = Kafka()
    """The broker."""
    opensearch: OpenSearch = OpenSearch()
    """The search cluster."""
    keys: Keys = Keys()
    """The key files."""
    identity: Identity = Identity()
    """Who may come in."""
    credentials: CredentialSources = CredentialSources()
    """Where the targets' credentials lie."""
    policy: Policies = Policies()
    """Who may do what."""
    masking: Masking = Masking()
    """What is hidden on every connection."""
    registry: RegistrySettings = RegistrySettings()
    """Where connections, policies and masking rules come from."""
    processor: Processor = Processor()
    """What masks and enriches."""
    sealing: Sealing = Sealing()
    """What seals masked events in Merkle logs."""
    retention: Retention = Retention()
    """How long documents stay."""
    escrow: Escrow = Escrow()
    """Removed values, for two holders to prove."""
    sink: Sink = Sink()
    """What writes into OpenSearch."""
    approval: Approval = Approval()
    """Requests that wait for people."""
    console: Console | None = None
    """The pages on which people decide; none by default."""
    canary: Canary = Canary()
    """What proves in service that masking holds."""
    stack: Stack = Stack()
    """The local engines."""
    connections: tuple[Connection, ...] = ()
    """The registered targets."""

    @model_validator(mode="after")
    def _distinct_connections(self) -> Configuration:
        names = Counter(connection.name for connection in self.connections)
        hosts = Counter(host for connection in self.connections for host in connection.hosts)
        twice = [name for name, count in (names + hosts).items() if count > 1]
        if twice:
            raise ValueError(f"connection or host named twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _nothing_expires_on_the_topic(self) -> Configuration:
        hours = self.kafka.masked_retention_hours
        for name in ("events_days", "messages_days"):
            days = getattr(self.retention, name)
            if days is not None and days * 24 <= hours:
                raise ValueError(
                    f"retention.{name}: expected more than kafka.masked_retention_hours ({hours} h), or a "
                    "sink that reads the topic again brings back what was deleted"
                )
        return self

    @model_validator(mode="after")
    def _vault_is_known(self) -> Configuration:
        for connection in self.connections:
            credential = connection.credential
            sources = (credential.source if credential else None, connection.tls.client_identity)
            if any(source and source.vault for source in sources) and not self.credentials.vault:
                raise ValueError(
                    f"connection {connection.name}: its credential is in Vault, and credentials.vault "
                    "does not say how to reach it"
                )
        return self

    @model_validator(mode="after")
    def _transit_is_reached(self) -> Configuration:
        if self.keys.transit is not None and self.credentials.vault is None:
            raise ValueError(
                "keys.transit is a key in Vault, and credentials.vault does not say how to reach it"
            )
        return self

    @model_validator(mode="after")
    def _logins_are_known(self) -> Configuration:
        known = {item.issuer for item in self.identity.oidc}
        for login in self.console.logins if self.console else ():
            if login.issuer not in known:
                raise ValueError(f"console.logins: {login.issuer} is none of identity.oidc")
            if login.name in {item.name for item in self.identity.saml}:
                raise ValueError(f"console.logins and identity.saml: both have a login named {login.name}")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form; every session record carries it."""
        text = self.model_dump(mode="json")
        return sha256_hex(canonical_json({"config": _stringify(text)}))


def _stringify(value: object) -> object:
    # RFC 8785 prints floats its own way; our canonical form has none, so they go in as text.
    if isinstance(value, dict):
        return {str(key): _stringify(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stringify(item) for item in value]
    return repr(value) if isinstance(value, float) else value
