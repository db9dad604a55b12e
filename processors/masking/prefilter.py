"""The fast path: Hyperscan says in one pass which rules may match. The one file that knows Hyperscan.

Patterns compile in prefilter mode, which may say yes too often and never no too often; a pattern it cannot
compile counts as always possible. Without the `hyperscan` extra everything here steps aside.
"""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from tachograph.processors.masking.ruleset import Rule

hyperscan: Any = None
with suppress(ImportError):  # no wheel for this platform, or the extra is not installed
    hyperscan = import_module("hyperscan")


class HyperscanPrefilter:
    """One database over all rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        numbered = [
            (index, rule.regex.encode()) for index, rule in enumerate(rules) if _same_meaning(rule.regex)
        ]
        self._database = _database(numbered)
        if self._database is None:  # one bad pattern spoils the set: find which
            numbered = [one for one in numbered if _database([one]) is not None]
            self._database = _database(numbered)
        known = {index for index, _ in numbered} if self._database is not None else set()
        self._always = [index for index in range(len(rules)) if index not in known]
        self._all = list(range(len(rules)))

    def candidates(self, text: bytes) -> list[int]:
        """Indices of the rules that may match, ascending."""
        if b"\x0b" in text:
            return self._all  # a vertical tab is a space to Hyperscan and none to re2
        found = set(self._always)
        if self._database is not None and text:
            self._database.scan(text, match_event_handler=lambda number, *_: found.add(number))
        return sorted(found)


def _same_meaning(regex: str) -> bool:
    """Unicode classes mean other bytes to the two engines."""
    return "\\p" not in regex and "\\P" not in regex


def _database(numbered: Sequence[tuple[int, bytes]]) -> Any:
    """A database of these patterns, None when one of them does not compile."""
    if not numbered:
        return None
    flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_ALLOWEMPTY
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[pattern for _, pattern in numbered],
            ids=[index for index, _ in numbered],
            elements=len(numbered),
            flags=flags,
        )
    except hyperscan.error:
        return None
    return database


def best_prefilter(rules: Sequence[Rule]) -> HyperscanPrefilter | None:
    """Hyperscan where it is installed, else None: the gate alone, with the same result."""
    return HyperscanPrefilter(rules) if hyperscan is not None and rules else None
