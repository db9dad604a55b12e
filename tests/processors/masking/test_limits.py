"""Bounds are named and time is the clock's that was passed in."""

import pytest

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Deadline, Limits


def test_a_deadline_passes_by_its_own_clock() -> None:
    """No real time is spent."""
    now = [100.0]
    deadline = Deadline.after(5, lambda: now[0])
    now[0] = 105.0
    deadline.check()
    now[0] = 105.1
    with pytest.raises(Withheld, match="timeout"):
        deadline.check()


def test_the_first_limit_on_a_body_is_24_mib() -> None:
    """What the documentation promises."""
    assert Limits().body_bytes == 24 * 1024 * 1024
