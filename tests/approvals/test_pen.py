"""The pen: what Kafka does not take in time is never said."""

from __future__ import annotations

import time
import uuid

import pytest

from tachograph.approvals.errors import LogFull
from tachograph.approvals.pen import Pen
from tachograph.schemas.approval import ApprovalKey, Expired

EVENT = Expired(approval=uuid.UUID(int=1), at=1)


def pen(seconds: float, **settings: object) -> Pen:
    told = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0} | settings
    return Pen(topic="t.approvals", key=ApprovalKey(bytes(32)), settings=told, give_up_seconds=seconds)


def test_a_word_that_comes_too_late_is_dropped() -> None:
    """After its bound nothing is queued any more, so it cannot be said when Kafka is back."""
    made = pen(0.2)
    made.write(EVENT)
    deadline = time.monotonic() + 60
    while len(made._producer):
        assert time.monotonic() < deadline
        made._producer.poll(0.05)


def test_a_queue_that_is_full_is_a_refusal() -> None:
    """Whoever wrote learns it, instead of an event that may never be written."""
    made = pen(60, **{"queue.buffering.max.messages": 1})
    made.write(EVENT)
    with pytest.raises(LogFull):
        made.write(EVENT)
    made._producer.purge()
    made._producer.poll(0)
