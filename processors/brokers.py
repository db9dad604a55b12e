"""How both Kafka clients reach the broker: one configuration, librdkafka's words, and Faust's for the same.

The configuration passes librdkafka settings through; Faust's consumer (aiokafka) gets those that secure the
connection. A setting that cannot be carried over is refused: a connection less secure than asked for is none.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import faust

from tachograph.processors.errors import OperatorError
from tachograph.schemas.config import Kafka
from tachograph.schemas.secret_source import PlainSource

__all__ = ["faust_settings", "rdkafka_settings", "secret_value"]

_SASL = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}


def rdkafka_settings(kafka: Kafka, *, base: Path) -> dict[str, Any]:
    """Settings for every confluent-kafka client of this process."""
    settings: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap_servers, **kafka.client}
    if kafka.password is not None:
        settings["sasl.password"] = secret_value(kafka.password, base=base)
    return settings


def faust_settings(kafka: Kafka, *, base: Path) -> dict[str, Any]:
    """`broker` and `broker_credentials` for `faust.App`."""
    servers = ";".join(f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(","))
    return {"broker": servers, "broker_credentials": _credentials(kafka, base=base)}


def secret_value(source: PlainSource, *, base: Path) -> str:
    """Read a secret from where the configuration says it is; raises `OperatorError`."""
    if source.env is not None:
        value = os.environ.get(source.env)
        if value is None:
            raise OperatorError(f"environment variable {source.env} is not set")
        return value
    path = base / (source.file or "")
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path}: cannot be read ({type(error).__name__})") from None


def _credentials(kafka: Kafka, *, base: Path) -> faust.SASLCredentials | faust.SSLCredentials | None:
    protocol = kafka.client.get("security.protocol", "plaintext").lower()
    context = _tls(kafka, base=base) if protocol in {"ssl", "sasl_ssl"} else None
    if protocol in {"sasl_plaintext", "sasl_ssl"}:
        mechanism = kafka.client.get("sasl.mechanism") or kafka.client.get("sasl.mechanisms") or "PLAIN"
        if mechanism not in _SASL or kafka.password is None:
            raise OperatorError(
                f"kafka.client: expected sasl.mechanism of {', '.join(sorted(_SASL))} and a password"
            )
        return faust.SASLCredentials(
            username=kafka.client.get("sasl.username"),
            password=secret_value(kafka.password, base=base),
            ssl_context=context,
            mechanism=mechanism,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _tls(kafka: Kafka, *, base: Path) -> ssl.SSLContext:
    authorities = kafka.client.get("ssl.ca.location")
    context = ssl.create_default_context(cafile=str(base / authorities) if authorities else None)
    certificate = kafka.client.get("ssl.certificate.location")
    if certificate:
        key = kafka.client.get("ssl.key.location")
        context.load_cert_chain(base / certificate, base / key if key else None)
    return context
