"""Times of logs; tests/evidence has the attacks on keys and histories."""

import pytest

from tachograph.forensics.verify.logs import seconds


@pytest.mark.parametrize(
    ("time", "unix"),
    [
        ("1970-01-01T00:00:10Z", 10),
        ("2026-11-23T06:00:00.999999999Z", 1_795_413_600),
        ("2026-02-30T00:00:00Z", 0),
        ("0000-01-01T00:00:00Z", 0),
    ],
)
def test_whole_seconds(time: str, unix: int) -> None:
    """Fractions are cut off; a day that no calendar has is none."""
    assert seconds(time) == unix
