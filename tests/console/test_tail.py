"""The log is followed in order, and what is not signed with our key is ignored and counted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from tachograph.console.tail import Entry, Tail
from tachograph.schemas.approval import ApprovalKey, Expired


class _Reader:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def begun(self) -> None:
        self.entries.clear()

    def read(self, entries: Sequence[Entry]) -> None:
        self.entries += entries

    def fresh(self, asked: float) -> None:
        pass


class _Message:
    def __init__(self, value: bytes, kind: int = TIMESTAMP_LOG_APPEND_TIME) -> None:
        self._value, self._kind = value, kind

    def error(self) -> None:
        return None

    def offset(self) -> int:
        return 6

    def timestamp(self) -> tuple[int, int]:
        return self._kind, 42

    def value(self) -> bytes:
        return self._value


def test_only_signed_and_stamped_events_are_handed_on() -> None:
    """Another key's, garbage, one whose time its writer chose: ignored, counted, and the place is kept."""
    reader, ours = _Reader(), ApprovalKey(bytes(32))
    tail = Tail(reader, topic="t", key=ours, settings={})
    event = Expired(approval=uuid.UUID(int=1), at=1)
    messages: list[Any] = [
        _Message(ours.seal(event)),
        _Message(ApprovalKey(bytes(31) + b"x").seal(event)),
        _Message(b"{"),
        _Message(ours.seal(event), TIMESTAMP_CREATE_TIME),
    ]
    tail._hand_on(messages)
    assert reader.entries == [Entry(event, 42)]
    assert (tail.ignored, tail._next) == (3, 7)
