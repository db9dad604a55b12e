"""The header's time in the units that other programs want; the record's own clock is the only one here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

__all__ = ["EPOCH", "day_of", "day_start_ms", "index_day", "unix_ms"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def unix_ms(ts: str) -> int:
    """Milliseconds since the Unix epoch; 0 for a day that no calendar has."""
    try:
        moment = datetime.fromisoformat(f"{ts[:23]}+00:00")
    except ValueError:
        return 0
    return max((moment - EPOCH) // _MILLISECOND, 0)


def day_of(ms: int) -> date:
    """The UTC day of a moment."""
    return (EPOCH + ms * _MILLISECOND).date()


def index_day(day: date) -> str:
    """`YYYY.MM.DD`, as indices are named."""
    return f"{day.year:04}.{day.month:02}.{day.day:02}"


def day_start_ms(ms: int) -> int:
    """The first millisecond of a moment's UTC day."""
    return ms - ms % 86_400_000
