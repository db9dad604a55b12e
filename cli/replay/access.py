"""A replay is an access to the record, and stands in it: one event, acknowledged by Kafka before all else.
So is a removed value that is revealed.

It is no record of the wire, so it has no capture header; it is sealed and stored like every masked event, in
the session that was looked at.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from tachograph.cli.errors import PartDown
from tachograph.cli.settings import Settings
from tachograph.processors.enrichment import ocsf
from tachograph.processors.record import Emitted
from tachograph.schemas.access import ACCESS, Access
from tachograph.schemas.event import rfc3339_ns

__all__ = ["access_event", "publish", "record_access"]

ACKNOWLEDGED_SECONDS = 20.0
_READ = 2
_SUCCESS = 1


def access_event(access: Access, session: str, *, uid: uuid.UUID, salt: bytes, now_ns: int) -> Emitted:
    """The masked event of an access to a session. `salt` are 16 random bytes: its leaf tells nothing then."""
    message = f"{access.by} at {access.host}: {access.action} of the session ({access.how})"
    event: dict[str, Any] = ocsf.frame(
        ocsf.API_ACTIVITY, _READ, time=now_ns // 1_000_000, message=message
    ) | ocsf.state(status=_SUCCESS)
    event |= {
        "actor": {
            "user": {"uid": access.by, "name": access.by, "type_id": 0, "type": "Unknown"},
            "session": {"uid": session},
        },
        "src_endpoint": {"name": access.host},
        "api": {"operation": access.action, "service": {"name": access.tool}},
        "metadata": ocsf.metadata(str(uid)),
        "unmapped": {
            "tacho": {
                "v": 1,
                "uid": str(uid),
                "type": ACCESS,
                "salt": salt.hex(),
                "session": session,
                "ts": rfc3339_ns(now_ns),
                "access": access.model_dump(),
            }
        },
    }
    event["metadata"]["profiles"] = ocsf.profiles(event)
    day = datetime.fromtimestamp(now_ns / 1_000_000_000, UTC)
    return Emitted(uid, uuid.UUID(session), ACCESS, f"{day:%Y.%m.%d}", orjson.dumps(event))


def publish(event: Emitted, *, settings: Mapping[str, Any], topic: str) -> None:
    """Write it to the masked topic; returns when Kafka has acknowledged it. Raises `PartDown`."""
    from confluent_kafka import KafkaException, Producer

    failed: list[str] = []
    ours = {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # as the processors': a session's events share a partition
        "message.timeout.ms": int(ACKNOWLEDGED_SECONDS * 1000),
        "log_level": 0,
    }
    headers: list[tuple[str, str | bytes | None]] = [
        ("uid", str(event.uid)),
        ("type", event.type),
        ("day", event.day),
        ("content-type", "application/json"),
    ]
    try:
        producer = Producer({**settings, **ours})
        producer.produce(
            topic,
            event.value,
            str(event.session).encode(),
            headers=headers,
            on_delivery=lambda error, _: failed.append(error.str()) if error else None,
        )
        left = producer.flush(ACKNOWLEDGED_SECONDS + 1)
    except KafkaException as error:
        failed, left = [error.args[0].str()], 0
    if failed or left:
        why = failed[0] if failed else f"not acknowledged within {ACKNOWLEDGED_SECONDS:.0f} s"
        raise PartDown(
            f"the access could not be recorded, so nothing was replayed or revealed: {why};"
            " see `tacho status`"
        )


def record_access(told: Settings, session: str, *, action: Literal["replay", "reveal"], how: str) -> None:
    """Say in the session's record that this user did this now. Raises `PartDown` where it cannot be said."""
    from tachograph.cli.main import installed_version
    from tachograph.processors.brokers import rdkafka_settings

    kafka = told.configuration.kafka
    access = Access(
        by=getpass.getuser(),
        host=socket.gethostname(),
        tool=f"tachograph {installed_version()}",
        action=action,
        how=how,
    )
    event = access_event(access, session, uid=uuid.uuid4(), salt=os.urandom(16), now_ns=time.time_ns())
    publish(event, settings=rdkafka_settings(kafka, base=told.base), topic=kafka.topics.masked)
