"""What gateways say of themselves outlives what they say it of: heartbeats, and their boots' certificates.

A heartbeat proves how a session ended, as long as anything of that session is kept: so the longest rule is
theirs. A certificate proves every heartbeat of its boot, and stays as long as one of these does.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tachograph.schemas.event import EventType
from tachograph.schemas.leaf import Leaf

__all__ = ["Boots", "boots_of", "expired_before", "millis"]


class Asked(Protocol):
    """What is asked of OpenSearch."""

    def gateways(self) -> list[str]: ...
    def still_in(self, sessions: Sequence[str], *, since: int) -> set[str]: ...


@dataclass(frozen=True, slots=True)
class Boots:
    """The gateways' own sessions. What they wrote on days (`YYYY.MM.DD`) before `before` may go, but for the
    certificates of those that are `living`: they wrote later too."""

    sessions: Collection[uuid.UUID]
    before: str
    living: Collection[uuid.UUID]

    def keep(self, leaf: Leaf) -> bool:
        """Whether this record stays, although it is as old as the events that go."""
        if leaf.session not in self.sessions:
            return False
        certificate = leaf.type == EventType.SESSION_OPEN.value and leaf.session in self.living
        return certificate or leaf.day is None or leaf.day >= self.before


def boots_of(store: Asked, days: Mapping[str, int | None], now: datetime) -> Boots:
    """Those on record, by the rules of all families. One without a rule stays for ever, and so do they."""
    sessions = store.gateways()
    if None in days.values():
        everyone = frozenset(map(uuid.UUID, sessions))
        return Boots(everyone, "", everyone)
    before = expired_before(now, max(count for count in days.values() if count is not None))
    living = store.still_in(sessions, since=millis(before))
    return Boots(frozenset(map(uuid.UUID, sessions)), before, frozenset(map(uuid.UUID, living)))


def expired_before(now: datetime, days: int) -> str:
    """The first day (`YYYY.MM.DD`) that stays: so many whole days have passed since each one before it."""
    return f"{now - timedelta(days=days):%Y.%m.%d}"


def millis(day: str) -> int:
    """The Unix milliseconds in which a day (`YYYY.MM.DD`) begins."""
    return int(datetime.strptime(day, "%Y.%m.%d").replace(tzinfo=UTC).timestamp() * 1000)
