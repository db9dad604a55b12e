"""Which of the gateways' own records stay when events of their day go."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from tachograph.cli.evidence.boots import boots_of, expired_before, millis
from tachograph.schemas.leaf import Leaf

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
BOOT, ENDED, AGENT = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


class Store:
    """Two boots: one wrote until yesterday, the other ended long ago."""

    since: int | None = None

    def gateways(self) -> list[str]:
        return [BOOT, ENDED]

    def still_in(self, sessions: Sequence[str], *, since: int) -> set[str]:
        assert sorted(sessions) == [BOOT, ENDED]
        self.since = since
        return {BOOT}


def leaf(session: str, day: str, kind: str = "heartbeat") -> Leaf:
    return Leaf(
        index=1, offset=1, leaf="0" * 64, type=kind, uid=uuid.uuid4(), session=uuid.UUID(session), day=day
    )


def test_the_longest_rule_is_that_of_heartbeats() -> None:
    """Whatever family it is of; agents' sessions have the rule of their own."""
    store = Store()
    boots = boots_of(store, {"events": 10, "messages": 30}, NOW)
    assert (boots.before, store.since) == ("2026.03.01", millis("2026.03.01"))
    assert boots.keep(leaf(BOOT, "2026.03.01"))
    assert not boots.keep(leaf(BOOT, "2026.02.28"))
    assert not boots.keep(leaf(AGENT, "2026.03.20", "request"))
    assert boots_of(Store(), {"events": 30, "messages": 10}, NOW) == boots


def test_a_certificate_stays_as_long_as_its_boot_has_heartbeats() -> None:
    """Without it none of them counts."""
    boots = boots_of(Store(), {"events": 10, "messages": 30}, NOW)
    assert boots.keep(leaf(BOOT, "2025.01.01", "session.open"))
    assert not boots.keep(leaf(ENDED, "2025.01.01", "session.open"))
    assert not boots.keep(leaf(AGENT, "2025.01.01", "session.open"))


def test_where_a_family_stays_for_ever_they_do_too() -> None:
    """A session of which anything is left can be judged."""
    boots = boots_of(Store(), {"events": 10, "messages": None}, NOW)
    assert boots.keep(leaf(ENDED, "1999.01.01"))
    assert boots.keep(leaf(ENDED, "1999.01.01", "session.open"))
    assert not boots.keep(leaf(AGENT, "1999.01.01"))


def test_a_day_stays_for_so_many_whole_days() -> None:
    """What is of the last second of a day is kept as long as what is of its first, and longer."""
    assert expired_before(datetime(2026, 3, 31, 23, 59, tzinfo=UTC), 30) == "2026.03.01"
    assert expired_before(datetime(2026, 3, 31, 0, 0, tzinfo=UTC), 30) == "2026.03.01"
