"""Every bound of the masker, by name: what it takes, how deep it looks, how long it may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tachograph.processors.masking.errors import Withheld

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one exchange record. Beyond any of them the content is withheld."""

    body_bytes: int = 24 * 1024 * 1024
    """Decoded size of one part."""
    ratio: int = 200
    """Decoded size over encoded size, looked at once `ratio_free_bytes` are decoded: a zip bomb's sign."""
    ratio_free_bytes: int = 4 * 1024 * 1024
    content_encodings: int = 3
    """How many content codings may lie on one another."""
    layers: int = 12
    """How many times strings are decoded (JSON in JSON, percent, base64, hex) before giving up."""
    kept_bytes: int = 24 * 1024 * 1024
    """Decoded layers of one text that stay in memory; larger ones are decoded again where they are needed."""
    inflated_bytes: int = 8 * 1024 * 1024
    """By how much the packed strings of one text may make it grow."""
    spans: int = 25_000
    """Findings in one part."""
    value_bytes: int = 16 * 1024 * 1024
    """The values found in one part, each counted once."""
    needles: int = 500_000
    """Spellings of values that are propagated through one record."""
    edits: int = 1_500_000
    """Escapes and encoded runs undone in all layers of one text."""
    parts: int = 10_000
    seconds: float = 30.0
    """Time for one record, by the clock that was passed in."""


@dataclass(slots=True)
class Deadline:
    """Raises Withheld("timeout") when one record has had its time."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """A deadline `seconds` from now."""
        return cls(clock, clock() + seconds)

    def check(self) -> None:
        """Raise if the time is over; called between steps that are themselves linear in their input."""
        if self.clock() > self.at:
            raise Withheld("timeout")
