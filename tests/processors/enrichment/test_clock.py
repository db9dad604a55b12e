"""The header's nanosecond time in the units of others."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.clock import day_of, day_start_ms, index_day, unix_ms
from tachograph.schemas.event import rfc3339_ns


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_milliseconds_are_those_of_the_header(ns: int) -> None:
    """Any time that the ingress can write comes back to the millisecond, and its day with it."""
    ts = rfc3339_ns(ns)
    assert unix_ms(ts) == ns // 1_000_000
    assert day_of(unix_ms(ts)).isoformat() == ts[:10]


@pytest.mark.parametrize("ts", ["2026-13-01T00:00:00.000000000Z", "0000-00-00T99:99:99.000000000Z"])
def test_a_day_that_no_calendar_has_is_the_epoch(ts: str) -> None:
    """A header's pattern admits the 13th month; time does not, and nobody raises over it."""
    assert unix_ms(ts) == 0


def test_indices_are_named_by_day() -> None:
    """Year, month and day, each at its full width."""
    assert index_day(date(2026, 1, 3)) == "2026.01.03"
    assert index_day(date(970, 11, 23)) == "0970.11.23"


def test_a_day_starts_at_midnight_utc() -> None:
    """The start of the day is the same for its first and its last millisecond."""
    start = 1_795_392_000_000
    assert day_of(start) == date(2026, 11, 23)
    assert day_start_ms(start) == day_start_ms(start + 86_399_999) == start
