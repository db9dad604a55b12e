"""A worker's desk with its pen and its tail, opened and closed as one."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from tachograph.approvals.errors import LogFull
from tachograph.approvals.pen import Pen
from tachograph.approvals.tail import Tail
from tachograph.ingress.approval.desk import Desk, Sources
from tachograph.ingress.approval.digests import Digests
from tachograph.ingress.approval.errors import ApprovalsAway
from tachograph.ingress.keyfile import read_key
from tachograph.ingress.recording.kafka_settings import client_settings
from tachograph.schemas.approval import ApprovalEvent, ApprovalKey
from tachograph.schemas.config import Configuration
from tachograph.schemas.keys import KeyEncryptionKey

__all__ = ["open_desk"]


@contextlib.asynccontextmanager
async def open_desk(
    config: Configuration, *, base: Path, kek: KeyEncryptionKey, sources: Sources | None = None
) -> AsyncIterator[Desk]:
    """A desk that reads and writes the approvals topic until the end of the block. Kafka may be down.

    Raises `KeysUnreadable` for the approvals key, `CredentialMissing` for Kafka's password.
    """
    key = ApprovalKey(read_key(base / config.keys.approvals_file))
    topic = config.kafka.topics.approvals
    pen = Pen(
        topic=topic,
        key=key,
        settings=client_settings(config.kafka, base=base),
        give_up_seconds=config.approval.log_timeout,
    )

    def write(event: ApprovalEvent) -> None:
        try:
            pen.write(event)
        except LogFull as full:
            raise ApprovalsAway(str(full)) from None

    desk = Desk(
        write=write,
        digests=Digests(kek),
        settings=config.approval,
        instance=uuid.uuid4(),
        problem=lambda: tail.problem,
        sources=sources or Sources(),
    )
    tail = Tail(desk, topic=topic, key=key, settings=client_settings(config.kafka, base=base))
    tail.start()
    try:
        yield desk
    finally:
        desk.close()
        await asyncio.to_thread(tail.stop)
        await asyncio.to_thread(pen.close)
