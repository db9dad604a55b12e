"""What to start and where, and where it serves afterwards."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LEAST_HEAP_MB: Final = 128
_LARGEST_PORT: Final = 65535


def _default_home() -> Path:
    return Path(os.environ.get("TACHO_HOME") or ".tacho").absolute()


def _default_cache() -> Path:
    configured = os.environ.get("TACHO_CACHE")
    return Path(configured).absolute() if configured else Path.home() / ".cache" / "tachograph"


@dataclass(frozen=True, slots=True)
class StackConfig:
    """What to start and where; port 0: choose a free one. Raises ValueError for a number out of range."""

    home: Path = field(default_factory=_default_home)  # holds logs/, data/, run/
    cache: Path = field(default_factory=_default_cache)  # the engines' files, shared by all homes
    kafka_port: int = 9092
    controller_port: int = 9093
    opensearch_port: int = 9200
    transport_port: int = 9300
    kafka_heap_mb: int = 512
    opensearch_heap_mb: int = 512
    with_kafka: bool = True
    with_opensearch: bool = True

    def __post_init__(self) -> None:
        for name in ("kafka_port", "controller_port", "opensearch_port", "transport_port"):
            if not 0 <= (port := getattr(self, name)) <= _LARGEST_PORT:
                raise ValueError(f"{name}: expected a port from 0 to {_LARGEST_PORT}, found {port}")
        for name in ("kafka_heap_mb", "opensearch_heap_mb"):
            if (heap := getattr(self, name)) < LEAST_HEAP_MB:
                raise ValueError(f"{name}: expected at least {LEAST_HEAP_MB} MB, found {heap}")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the engines serve; empty for an engine that was not asked for."""

    bootstrap_servers: str
    opensearch_url: str


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of one run, all chosen."""

    kafka: int
    controller: int
    opensearch: int
    transport: int
