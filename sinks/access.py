"""How this room logs in. A secret is read where the configuration says it lies, and is kept nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tachograph.schemas.config import Kafka
from tachograph.schemas.secret_source import PlainSource
from tachograph.sinks.errors import SecretUnreadable

__all__ = ["kafka_client", "read_secret"]


def read_secret(source: PlainSource, *, base: Path) -> str:
    """The secret's text without a trailing line feed. Raises `SecretUnreadable`, naming the place only."""
    if source.env is not None:
        value = os.environ.get(source.env)
        if not value:
            raise SecretUnreadable(
                f"expected a secret in the environment variable {source.env}; it is not set"
            )
        return value
    path = base / (source.file or "")
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"expected a secret in {path}: {type(error).__name__}") from None
    if not value:
        raise SecretUnreadable(f"expected a secret in {path}; the file is empty")
    return value


def kafka_client(config: Kafka, *, base: Path) -> dict[str, Any]:
    """librdkafka's connection settings, the password read from where the configuration says."""
    secret = {} if config.password is None else {"sasl.password": read_secret(config.password, base=base)}
    return {"bootstrap.servers": config.bootstrap_servers} | dict(config.client) | secret
