"""Waiting between tries."""

import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.backoff import FIRST_SECONDS, LONGEST_SECONDS, delays


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


@given(st.integers())
def test_delays_grow_stay_bounded_and_never_end(seed: int) -> None:
    """Each delay lies between half of and the whole of a bound that doubles to ten seconds."""
    found = list(islice(delays(seeded(seed)), 50))
    bounds = [min(FIRST_SECONDS * 2**n, LONGEST_SECONDS) for n in range(50)]
    assert all(bound / 2 <= delay <= bound for delay, bound in zip(found, bounds, strict=True))


def test_two_workers_do_not_march_in_step() -> None:
    """Other randomness, other delays."""
    assert list(islice(delays(seeded(1)), 5)) != list(islice(delays(seeded(2)), 5))
