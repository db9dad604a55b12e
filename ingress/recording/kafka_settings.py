"""What librdkafka is told so that an acknowledgement means all replicas, and nothing overtakes or repeats."""

from __future__ import annotations

import logging
from pathlib import Path

from tachograph.ingress.secret_source import read_secret
from tachograph.schemas.config import Kafka

__all__ = ["Sparse", "client_settings", "producer_settings"]

REPEAT_SECONDS = 30.0
"""Between two log lines of the Kafka client about the same kind of event."""
MAX_EVENTS = 64

_OURS: dict[str, object] = {
    "client.id": "tacho-ingress",
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # the same partition as any Java producer would choose
    "compression.type": "none",  # ciphertext does not shrink
    "linger.ms": 5,  # an acknowledgement is waited for only while the disk is slow
    "socket.nagle.disable": True,
    "message.timeout.ms": 0,  # never give up: the spool is the bound
    "message.max.bytes": 8 << 20,  # the topic's own limit decides, and the dead letter says so
    "queue.buffering.max.kbytes": 64 << 10,
    "topic.metadata.propagation.max.ms": 5000,
    "reconnect.backoff.max.ms": 2000,
    "log.connection.close": False,
}
_REFUSED = {
    "debug",
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "message.timeout.ms",
    "delivery.timeout.ms",
}
"""Not for the operator to change: promises hang on them, and `debug` may print message contents."""


def producer_settings(kafka: Kafka, *, base: Path) -> dict[str, object]:
    """Settings for `confluent_kafka.Producer`. Raises `CredentialMissing` for an unreadable password."""
    return {**_OURS, **client_settings(kafka, base=base)}


def client_settings(kafka: Kafka, *, base: Path) -> dict[str, object]:
    """What every Kafka client is told: where the brokers are, and how to prove who we are to them."""
    settings: dict[str, object] = {"bootstrap.servers": kafka.bootstrap_servers}
    settings.update((name, value) for name, value in kafka.client.items() if name not in _REFUSED)
    if kafka.password is not None:
        settings["sasl.password"] = read_secret(kafka.password, base=base)
    settings["logger"] = _quiet_logger()
    return settings


class Sparse(logging.Filter):
    """Lets a message through once in a while: while a broker is away the client repeats itself."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # The first word names the event; what follows has counters in it.
        word = record.getMessage().partition(" ")[0]
        # A clock that was set back must not silence it.
        if 0 <= record.created - self._last.get(word, 0.0) < REPEAT_SECONDS:
            return False
        if len(self._last) >= MAX_EVENTS:
            self._last.clear()
        self._last[word] = record.created
        return True


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("tachograph.kafka")
    if not any(isinstance(item, Sparse) for item in logger.filters):
        logger.addFilter(Sparse())
    return logger
