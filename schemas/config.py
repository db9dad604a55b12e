"""The configuration of every process: one YAML file, one frozen value.

Relative paths in it are relative to the file. It holds no secret, only where secrets are read from.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.connection import Connection, SecretSource
from tachograph.schemas.topics import Topics

__all__ = [
    "Configuration",
    "Identity",
    "Ingress",
    "Kafka",
    "Keys",
    "Listen",
    "Masking",
    "OidcIssuer",
    "OpenSearch",
    "Spool",
    "Stack",
    "Worker",
]

_MIB = 1 << 20
Port = Annotated[int, Field(ge=0, le=65_535)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listen(_Config):
    """An address to serve on; port 0 lets the system choose one."""

    host: str = "127.0.0.1"
    port: Port = 8080


class Spool(_Config):
    """The encrypted write-ahead file of each ingress worker. Full means 503, never an unrecorded request."""

    path: str = "spool"
    max_bytes: Annotated[int, Field(ge=16 * _MIB)] = 1024 * _MIB
    segment_bytes: Annotated[int, Field(ge=_MIB)] = 64 * _MIB


class Ingress(_Config):
    """The proxy's own limits."""

    listen: Listen = Listen()
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    spool: Spool = Spool()
    max_connections: Annotated[int, Field(ge=1)] = 1024
    max_header_bytes: Annotated[int, Field(ge=1024, le=_MIB)] = 64 * 1024
    header_timeout: Annotated[float, Field(gt=0)] = 10
    idle_timeout: Annotated[float, Field(gt=0)] = 75
    session_idle: Annotated[float, Field(gt=0)] = 1800
    drain_timeout: Annotated[float, Field(gt=0)] = 10


class Kafka(_Config):
    """The broker. `client` passes librdkafka settings through (security, TLS); secrets there as files."""

    bootstrap_servers: str = "127.0.0.1:9092"
    topic_prefix: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$")
    ] = "tacho"
    client: dict[str, str] = Field(default_factory=dict)
    password: SecretSource | None = None
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    replication_factor: Annotated[int, Field(ge=1, le=7)] = 1
    raw_retention_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24
    masked_retention_hours: Annotated[int, Field(ge=1)] = 24 * 7

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
    dashboards_url: str | None = None
    index_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")] = "tacho"
    username: str | None = None
    password: SecretSource | None = None
    ca_file: str | None = None
    shards: Annotated[int, Field(ge=1, le=64)] = 1
    replicas: Annotated[int, Field(ge=0, le=8)] = 0


class Keys(_Config):
    """Files of 32 random bytes, base64, readable by their owner only."""

    kek_file: str = "keys/kek"
    pseudonym_file: str = "keys/pseudonym"


class OidcIssuer(_Config):
    """One issuer whose tokens are taken as identity."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """Found by discovery where it is not given."""
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"], ...
    ] = (
        "RS256",
        "ES256",
        "EdDSA",
    )
    principal_claim: str = "sub"
    leeway: Annotated[int, Field(ge=0, le=120)] = 30


class Identity(_Config):
    """Who may come in. No identity means 401 in the protocol's own shape."""

    api_keys_file: str = "keys/api-keys.yaml"
    oidc: tuple[OidcIssuer, ...] = ()

    @field_validator("oidc")
    @classmethod
    def _distinct(cls, value: tuple[OidcIssuer, ...]) -> tuple[OidcIssuer, ...]:
        twice = [name for name, count in Counter(item.issuer for item in value).items() if count > 1]
        if twice:
            raise ValueError(f"issuer named twice: {', '.join(twice)}")
        return value


class Masking(_Config):
    """What the masker hides beyond its own pack."""

    rules: tuple[str, ...] = ()
    """Files of further rules in the gitleaks TOML layout."""
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    json_keys: tuple[str, ...] = ()


class Worker(_Config):
    """Bounds of the processor and the sink."""

    data_dir: str = "worker"
    metrics: Listen | None = None
    hold_bytes: Annotated[int, Field(ge=_MIB)] = 32 * _MIB
    """The most that the masker holds of one long body before it withholds the rest."""
    hold_seconds: Annotated[float, Field(gt=0)] = 900


class Stack(_Config):
    """Who runs Kafka and OpenSearch. `managed` engines belong to `tacho up`, at the loopback ports named above."""

    managed: bool = False
    kafka_heap_mb: Annotated[int, Field(ge=256, le=65_536)] = 512
    opensearch_heap_mb: Annotated[int, Field(ge=256, le=65_536)] = 512


class Configuration(_Config):
    """Everything that every process needs to know."""

    version: Literal[1] = 1
    ingress: Ingress = Ingress()
    kafka: Kafka = Kafka()
    opensearch: OpenSearch = OpenSearch()
    keys: Keys = Keys()
    identity: Identity = Identity()
    masking: Masking = Masking()
    worker: Worker = Worker()
    stack: Stack = Stack()
    connections: tuple[Connection, ...] = ()

    @model_validator(mode="after")
    def _distinct_connections(self) -> Configuration:
        names = Counter(connection.name for connection in self.connections)
        hosts = Counter(host for connection in self.connections for host in connection.hosts)
        twice = [name for name, count in (names + hosts).items() if count > 1]
        if twice:
            raise ValueError(f"connection or host named twice: {', '.join(twice)}")
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
