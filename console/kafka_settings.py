"""How this room reaches Kafka, and the secrets that it reads from environment and files."""

from __future__ import annotations

from pathlib import Path

from tachograph.console.errors import OperatorError
from tachograph.credentials.errors import KeyUnreadable, SecretUnreadable
from tachograph.credentials.private_file import read_key as read_private_key
from tachograph.credentials.provider import read_plain
from tachograph.schemas.config import Kafka
from tachograph.schemas.secret_source import PlainSource

__all__ = ["client_settings", "read_key", "read_secret"]

_REFUSED = {"debug", "acks", "request.required.acks", "enable.idempotence", "message.timeout.ms"}
"""Not for the operator to change: promises hang on them, and `debug` may print message contents."""


def client_settings(kafka: Kafka, *, base: Path) -> dict[str, object]:
    """What every client is told: where the brokers are, and how to prove who we are to them."""
    settings: dict[str, object] = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 3}
    settings.update((name, value) for name, value in kafka.client.items() if name not in _REFUSED)
    if kafka.password is not None:
        settings["sasl.password"] = read_secret(kafka.password, base=base)
    return settings


def read_secret(source: PlainSource, *, base: Path) -> str:
    """The secret's text; raises `OperatorError`, which names the place only."""
    try:
        return read_plain(source, base=base, environ=None)
    except SecretUnreadable as error:
        raise OperatorError(error.detail) from None


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file; raises `OperatorError`."""
    try:
        return read_private_key(path)
    except KeyUnreadable as error:
        raise OperatorError(error.detail) from None
