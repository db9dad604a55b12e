"""The fast path: Hyperscan says in one pass which rules may match. The one file that knows Hyperscan.

An engine that misses a match is worse than none: Vectorscan 5.4.12 does (docs/adr/0012). So the engine must
first find what such versions miss, and each rule's own examples; a rule that fails counts as always possible.

Patterns compile in prefilter mode, which may say yes too often and never no too often; a pattern it cannot
compile counts as always possible. Without the `hyperscan` extra everything here steps aside.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tachograph.processors.masking.gates import GATES
from tachograph.processors.masking.ruleset import Rule
from tachograph.processors.masking.samples import filled

hyperscan: Any = None
with suppress(ImportError):  # no wheel for this platform, or the extra is not installed
    hyperscan = import_module("hyperscan")

_WIDE_GATES = frozenset({"long"})
"""Gates that open in nearly every text: asking costs more than it saves."""
_Numbered = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class _Alone:
    """A rule with a database of its own, and what opens it: its gate's number in the first database, or one
    of these bytes. With neither it is always looked for.
    """

    database: Any
    gate: int = -1
    marks: tuple[bytes, ...] = ()

    def may_match(self, text: bytes, seen: set[int]) -> bool:
        if self.marks:
            return any(mark in text for mark in self.marks)
        return self.gate < 0 or self.gate in seen


class HyperscanPrefilter:
    """One database over the rules with keywords and over the gates; one for each rule behind a gate.

    A database is as slow as its slowest patterns, and those are the rules that begin with anything: they are
    looked for only in a text in which their gate matches at all, and one by one, which is quicker.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._all = list(range(len(rules)))
        usable = [(index, rule) for index, rule in enumerate(rules) if _same_meaning(rule.regex)]
        alone = {index: rule for index, rule in usable if rule.gate or _marks(rule)}
        gates = {gate: len(rules) + at for at, gate in enumerate(GATES) if gate not in _WIDE_GATES}
        first = [(index, rule.regex.encode()) for index, rule in usable if index not in alone]
        first += [(number, GATES[gate].encode()) for gate, number in gates.items()]
        self._first, known = _databased(first)
        self._alone = []
        for index, rule in alone.items():
            database, found = _databased([(index, rule.regex.encode())])
            opened_by = gates.get(rule.gate, -1)
            self._alone.append(_Alone(database, opened_by if opened_by in known else -1, _marks(rule)))
            known |= found
        self._always: list[int] = []
        self._always = [i for i in self._all if i not in known or not self._finds_examples(rules[i], i)]

    def _finds_examples(self, rule: Rule, index: int) -> bool:
        """Whether the engine sees the rule in its own examples; a rule without any is not asked."""
        texts = [filled(template).encode() for template in rule.examples]
        leads = (b"", b"3 b\na33=a\n ", b"lorem ipsum: " * 9)
        return all(index in self.candidates(lead + text + b"\n") for text in texts for lead in leads)

    def candidates(self, text: bytes) -> list[int]:
        """Indices of the rules that may match, ascending."""
        if b"\x0b" in text:
            return self._all  # a vertical tab is a space to Hyperscan and none to re2
        found = set(self._always)
        if text:
            _scan(self._first, text, found)
            for one in self._alone:
                if one.may_match(text, found):
                    _scan(one.database, text, found)
        return sorted(index for index in found if index < len(self._all))


def _marks(rule: Rule) -> tuple[bytes, ...]:
    """The rule's keywords where each is one sign, such as an e-mail's @: a search costs next to nothing."""
    words = tuple(word.encode() for word in rule.keywords)
    return words if not rule.gate and all(len(word) == 1 and not word.isalpha() for word in words) else ()


def _scan(database: Any, text: bytes, found: set[int]) -> None:
    if database is not None:
        database.scan(text, match_event_handler=_into(found))


def _databased(numbered: Sequence[_Numbered]) -> tuple[Any, set[int]]:
    """A database of the patterns that compile, and their numbers; one bad pattern spoils a whole set."""
    database = _database(numbered)
    if database is None:
        numbered = [one for one in numbered if _database([one]) is not None]
        database = _database(numbered)
    return database, {number for number, _ in numbered} if database is not None else set()


def _same_meaning(regex: str) -> bool:
    """Unicode classes mean other bytes to the two engines."""
    return "\\p" not in regex and "\\P" not in regex


def _database(numbered: Sequence[_Numbered]) -> Any:
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
