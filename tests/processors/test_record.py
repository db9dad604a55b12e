"""The two values that pass between masking, enrichment and publishing show sizes, never content."""

from __future__ import annotations

import uuid

from tachograph.processors.record import Emitted, MaskedRecord
from tachograph.schemas.event import GENESIS, EventType, Header, Principal, PrincipalKind, event_uid
from tachograph.schemas.payload import SessionCloseMeta

SESSION, EPOCH = uuid.UUID(int=1), uuid.UUID(int=2)
HEADER = Header(
    uid=event_uid(SESSION, EPOCH, 0),
    type=EventType.SESSION_CLOSE,
    ts="2026-11-23T00:00:00.000000000Z",
    session=SESSION,
    epoch=EPOCH,
    seq=0,
    prev=GENESIS,
    principal=Principal(id="x", kind=PrincipalKind.GATEWAY),
    raw_commit="0" * 64,
    raw_len=0,
)


def test_a_record_s_repr_holds_no_content() -> None:
    """Even masked content stays out of logs."""
    meta = SessionCloseMeta(records=1, reason="idle")
    record = MaskedRecord(HEADER, meta, b"content", None, 7, {}, "ruleset")
    assert "content" not in repr(record)
    assert "<7 bytes>" in repr(record)
    assert "None bytes" in repr(MaskedRecord(HEADER, meta, None, "timeout", 7, {}, "ruleset"))


def test_an_event_s_repr_holds_no_content() -> None:
    """Uid, type, day and size are enough to find it."""
    event = Emitted(SESSION, SESSION, "request", "2026.11.23", b"content")
    assert "content" not in repr(event)
    assert "2026.11.23" in repr(event)
