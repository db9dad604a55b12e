"""What is written goes through the Kafka client, or is said to be away."""

from __future__ import annotations

import uuid

import pytest

from tachograph.console.errors import Away
from tachograph.console.pen import Pen
from tachograph.schemas.approval import ApprovalKey, Expired


def test_a_full_queue_is_away() -> None:
    """The person is told, nothing waits."""
    settings = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "queue.buffering.max.messages": 1}
    pen = Pen(topic="t", key=ApprovalKey(bytes(32)), settings=settings, give_up_seconds=0.2)
    event = Expired(approval=uuid.UUID(int=1), at=1)
    pen.write(event)
    with pytest.raises(Away):
        pen.write(event)
    pen.close()
