"""How two sets of leaves differ, in lines that a person reads: where, what was recorded, what came instead.

Of a long text only the change and a little around it is shown. All of it is masked text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tachograph.forensics.replay.compared import NOT_TEXT, Leaves

__all__ = ["MAX_DIFFERENCES", "Difference", "differences", "likeness"]

MAX_DIFFERENCES = 50
"""Places that are told of one request."""
AROUND = 40
"""Characters of what is equal that are shown before and after a change."""
Same = Callable[[str, str], bool]
LONGEST = 400
"""Characters of a change that are shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place: `recorded` or `came` is None where it has nothing there; `before` and `after` are equal."""

    place: str
    recorded: str | None
    came: str | None
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """In one line: `[-recorded-]{+came+}`, as `git diff --word-diff` writes it."""
        gone = f"[-{self.recorded}-]" if self.recorded else ""
        new = f"{{+{self.came}+}}" if self.came else ""
        what = f"{self.before}{gone}{new}{self.after}"
        if self.recorded is None:
            return f"{self.place}: not in the record: {what}"
        return f"{self.place}: missing: {what}" if self.came is None else f"{self.place}: {what}"


def likeness(one: Leaves, other: Leaves) -> float:
    """How much of both is the same: 0 to 1."""
    equal = len(one.items() & other.items())
    return equal / max(1, len(one) + len(other) - equal)


def differences(recorded: Leaves, came: Leaves, same: Same = operator.eq) -> tuple[Difference, ...]:
    """Every place where they differ, at most `MAX_DIFFERENCES`. `same` gets the recorded text first."""
    found = list(_places(recorded, came, same))
    more = len(found) - MAX_DIFFERENCES
    if more > 0:
        return (*found[:MAX_DIFFERENCES], Difference(f"and {more} places more", "", ""))
    return tuple(found)


def _places(recorded: Leaves, came: Leaves, same: Same) -> Iterator[Difference]:
    for place in dict.fromkeys((*recorded, *came)):
        was, now = recorded.get(place), came.get(place)
        if was is None or now is None:
            if was != now:
                yield Difference(place, _shown(was), _shown(now))
        elif was.startswith(NOT_TEXT) or now.startswith(NOT_TEXT):
            if was != now:
                yield Difference(place, _typed(was), _typed(now))
        elif not same(was, now):
            yield _changed(place, was, now)


def _changed(place: str, was: str, now: str) -> Difference:
    start = _boundary(was, _common(was, now))
    rest = min(len(was), len(now)) - start
    end = min(_boundary(was[::-1], _common(was[::-1], now[::-1])), rest)
    before, after = was[:start], was[len(was) - end :]
    return Difference(
        place,
        _short(was[start : len(was) - end]),
        _short(now[start : len(now) - end]),
        f"\u2026{before[-AROUND:]}" if len(before) > AROUND else before,
        f"{after[:AROUND]}\u2026" if len(after) > AROUND else after,
    )


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)


def _boundary(text: str, at: int) -> int:
    """The beginning of the word that this place lies in, so that words are shown whole."""
    start = at
    while start and text[start - 1].isalnum() and at - start < AROUND:
        start -= 1
    return start


def _typed(value: str) -> str:
    """The text "1" and the number 1 are two things."""
    return value.removeprefix(NOT_TEXT) if value.startswith(NOT_TEXT) else _short(f'"{value}"')


def _shown(value: str | None) -> str | None:
    return None if value is None else _short(value.removeprefix(NOT_TEXT))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\u2026 ({len(text)} characters)"
