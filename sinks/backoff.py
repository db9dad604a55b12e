"""How long to wait before the next try: doubling, bounded, jittered so that workers do not march in step."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["FIRST_SECONDS", "LONGEST_SECONDS", "delays"]

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 10.0


def delays(rng: random.Random) -> Iterator[float]:
    """Seconds to wait, without end: each between half of and the whole of a bound that doubles up to 10 s."""
    bound = FIRST_SECONDS
    while True:
        yield rng.uniform(bound / 2, bound)
        bound = min(bound * 2, LONGEST_SECONDS)
