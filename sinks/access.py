"""How this room logs in. A secret is read where the configuration says it lies, and is kept nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tachograph.credentials.errors import SecretUnreadable as PlaceUnreadable
from tachograph.credentials.provider import read_plain
from tachograph.schemas.config import Kafka
from tachograph.schemas.secret_source import PlainSource
from tachograph.sinks.errors import SecretUnreadable

__all__ = ["kafka_client", "read_secret"]


def read_secret(source: PlainSource, *, base: Path) -> str:
    """The secret's text without surrounding white space. Raises `SecretUnreadable`, naming the place only."""
    try:
        return read_plain(source, base=base)
    except PlaceUnreadable as error:
        raise SecretUnreadable(error.detail) from None


def kafka_client(config: Kafka, *, base: Path) -> dict[str, Any]:
    """librdkafka's connection settings, the password read from where the configuration says."""
    secret = {} if config.password is None else {"sasl.password": read_secret(config.password, base=base)}
    return {"bootstrap.servers": config.bootstrap_servers} | dict(config.client) | secret
