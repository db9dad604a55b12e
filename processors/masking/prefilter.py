"""The fast path: Hyperscan says in one pass which rules may match. The one file that knows Hyperscan.

An engine that misses a match is worse than none: Vectorscan 5.4.12 does (docs/adr/0012). So the engine must
first find what such versions miss, and each rule's own examples; a rule that fails counts as always possible.

Patterns compile in prefilter mode, which may say yes too often and never no too often; a pattern it cannot
compile counts as always possible. Without the `hyperscan` extra everything here steps aside.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from tachograph.processors.masking.ruleset import Rule
from tachograph.processors.masking.samples import filled

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
        numbered = [one for one in numbered if self._finds_examples(rules[one[0]], one[0])]
        known = {index for index, _ in numbered} if self._database is not None else set()
        self._always = [index for index in range(len(rules)) if index not in known]
        self._all = list(range(len(rules)))

    def _finds_examples(self, rule: Rule, index: int) -> bool:
        """Whether the engine sees the rule in its own examples; a rule without any is not asked."""
        for template in rule.examples:
            text = filled(template).encode()
            for lead in (b"", b"3 b\na33=a\n ", b"lorem ipsum: " * 9):
                found: set[int] = set()
                self._database.scan(lead + text + b"\n", match_event_handler=_into(found))
                if index not in found:
                    return False
        return True

    def candidates(self, text: bytes) -> list[int]:
        """Indices of the rules that may match, ascending."""
        if b"\x0b" in text:
            return self._all  # a vertical tab is a space to Hyperscan and none to re2
        found = set(self._always)
        if self._database is not None and text:
            self._database.scan(text, match_event_handler=_into(found))
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


def _into(found: set[int]) -> Callable[..., None]:
    """A handler that notes which patterns match."""

    def note(number: int, *_: object) -> None:
        found.add(number)

    return note


def is_sound() -> bool:
    """Whether the engine finds what Vectorscan 5.4.12 misses: a literal after an optional class."""
    pattern = rb"\s--?(?:[a-z0-9-]{0,24}-)?(?:password|token)=[a-z0-9]{6}"
    database = _database([(0, pattern)])
    if database is None:
        return False
    for lead in (b"", b"3 b\na33=a\nmysql", b"a---=3c--a-c 322ab32bc--\n c-313a=12= 3a-21313-=mysql"):
        found: set[int] = set()
        database.scan(lead + b" --password=abc123", match_event_handler=_into(found))
        if not found:
            return False
    return True


def best_prefilter(rules: Sequence[Rule]) -> HyperscanPrefilter | None:
    """Hyperscan where it is installed and sound, else None: the gate alone, with the same result."""
    return HyperscanPrefilter(rules) if hyperscan is not None and rules and is_sound() else None
