"""What masking left in place of a value, and when two masked texts may be the same.

An agent that is run again was told masked values and sends them on. Where one is sent as it came, its marker
stands there again. Where it stands in a text that is masked as a whole (a password in the URL of a database),
only that it was masked is known: `[TYPE:again]`, which any marker of the record equals. Of one value masked
under two names the markers differ in their types; of one type, two pseudonyms are two values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

__all__ = ["AGAIN", "MARKER", "again", "alike", "markers_in"]

AGAIN = "again"
LOW_ENTROPY = ("PIN", "CVV", "SSN", "OTP", "DATE_OF_BIRTH")
"""Types whose values could be tried out: their markers have no pseudonym."""
MARKER = re.compile(
    rf"\[(?:(?P<type>[A-Z][A-Z0-9_]*):(?P<pseudonym>[a-z0-9]{{1,8}}\.[0-9a-f]{{16}}|{AGAIN})"
    rf"|(?P<bare>{'|'.join(LOW_ENTROPY)}))\]"
)


def again(kind: str) -> str:
    """Stands for a text of this type with a marker of the record in it."""
    return f"[{kind}:{AGAIN}]"


def markers_in(texts: Iterable[str]) -> frozenset[str]:
    """Every marker that stands in these texts."""
    return frozenset(found[0] for text in texts for found in MARKER.finditer(text))


def alike(recorded: str, came: str, known: Set[str]) -> bool:
    """Whether a text that came may be the recorded one. `known` are the markers of the record."""
    if recorded == came:
        return True
    was, now = list(MARKER.finditer(recorded)), list(MARKER.finditer(came))
    if not was or len(was) != len(now) or MARKER.sub("\0", recorded) != MARKER.sub("\0", came):
        return False
    return all(_may_be(one, other, known) for one, other in zip(was, now, strict=True))


def _may_be(was: re.Match[str], now: re.Match[str], known: Set[str]) -> bool:
    if was[0] == now[0] or now["pseudonym"] == AGAIN:
        return True
    return now[0] in known and _type(was) != _type(now)


def _type(marker: re.Match[str]) -> str:
    return marker["type"] or marker["bare"]
