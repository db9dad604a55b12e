"""Find what the rules describe in one text: gate, exact span, then everything a pattern cannot say.

The meaning of a rule is fixed here and nowhere else: its matches by re2 in windows around its keywords.
Hyperscan, where it is installed, only says early which rules cannot match at all, so both paths give the same
spans.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import ahocorasick_rs

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.gates import GATES
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.programs import Program
from tachograph.processors.masking.ruleset import WINDOW_UNIT, Allowlist, Rule, Ruleset, compiled
from tachograph.processors.masking.validators import IN_FRONT, VALIDATORS, entropy

_GATE_STEP = 256 * 1024
LINE_REACH = 4096
BEFORE = 4096
"""Bytes before a secret that a rule's `not_after` looks at."""
AROUND = 128
"""Bytes to either side of a secret that a rule's `not_within` looks at."""
MAX_REFUSED = 200_000
"""Matches of one rule that its validators refuse in one window before the text is withheld."""
MAX_SEARCHED = 6
"""For more keywords than these one pass for all is cheaper than one for each."""
_CHECK_EVERY = 512
"""Matches of one rule between two looks at the clock."""
GATE_UNIT = 1024
"""Rules behind a gate look around its matches in multiples of this many bytes: one pass serves all."""
_WIDEN = 8
"""A match that touches its window's end is looked at again in a window this many times wider."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule's secret at text[start:end]."""

    rule: Rule
    start: int
    end: int


class Prefilter(Protocol):
    """Says which rules may match a text; may name too many, never too few."""

    def candidates(self, text: bytes) -> Sequence[int]:
        """Indices into the rules, ascending."""
        ...


class _Allow:
    """One allow-list, compiled."""

    def __init__(self, allowlist: Allowlist) -> None:
        self._regexes = [compiled(pattern) for pattern in allowlist.regexes]
        self._words = [word.encode() for word in allowlist.stopwords]
        self._all = allowlist.condition == "AND"
        self._target = allowlist.target
        self._unknowable = allowlist.unknowable
        self.wants_line = allowlist.target == "line"

    def allows(self, secret: bytes, match: bytes, line: bytes) -> bool:
        target = {"secret": secret, "match": match, "line": line}[self._target]
        checks = []
        if self._regexes:
            checks.append(any(regex.search(target) for regex in self._regexes))
        if self._words:
            low = secret.lower()
            checks.append(any(word in low for word in self._words))
        if self._all:
            return not self._unknowable and bool(checks) and all(checks)
        return any(checks)


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    regex: Any
    keywords: tuple[bytes, ...]
    allows: tuple[_Allow, ...]
    not_after: tuple[Any, ...]
    not_within: tuple[Any, ...]


Windows = list[tuple[int, int]]


class Scanner:
    """All rules of a set, ready to run over any text."""

    def __init__(self, ruleset: Ruleset, prefilter: Prefilter | None = None) -> None:
        shared = [(a, _Allow(a)) for a in ruleset.allowlists]
        self._rules = [
            _Compiled(
                rule,
                compiled(rule.regex),
                tuple(k.encode() for k in rule.keywords),
                (*map(_Allow, rule.allowlists), *(c for a, c in shared if not a.rules or rule.id in a.rules)),
                tuple(map(compiled, rule.not_after)),
                tuple(map(compiled, rule.not_within)),
            )
            for rule in ruleset.rules
        ]
        self._gates = {name: compiled(GATES[name]) for name in {r.gate for r in ruleset.rules if r.gate}}
        self._prefilter = prefilter

    def scan(self, text: bytes, deadline: Deadline) -> list[Hit]:
        """Every finding, in the rules' order and then by place; raises Withheld("timeout")."""
        if self._prefilter is None:
            wanted: Sequence[_Compiled] = self._rules
        else:
            wanted = [self._rules[i] for i in self._prefilter.candidates(text)]
        if not wanted or not text:
            return []
        deadline.check()
        places = self._places(text, wanted)
        opened = {gate: _gated(self._gates[gate], text) for gate in {one.rule.gate for one in wanted} if gate}
        windows: dict[tuple[tuple[bytes, ...], str, int], Windows] = {}
        hits: list[Hit] = []
        for one in wanted:
            key = (one.keywords, one.rule.gate, one.rule.window)
            if key not in windows:
                windows[key] = _windows(len(text), one, opened[one.rule.gate] if one.rule.gate else places)
            for low, high in windows[key]:
                hits.extend(_matches(one, text, low, high, deadline))
        return hits

    def _places(self, text: bytes, wanted: Sequence[_Compiled]) -> dict[bytes, set[int]]:
        """Where each keyword stands, in units of WINDOW_UNIT bytes, without regard to case."""
        low = text.lower()
        words = tuple(sorted({word for one in wanted for word in one.keywords}))
        if len(words) <= MAX_SEARCHED:
            return {word: _occurrences(low, word) for word in words}
        search, reach = _automaton(words), max(map(len, words)) - 1
        places: dict[bytes, set[int]] = {}
        for at in range(0, len(low), _GATE_STEP):  # piece by piece: a match is an object, and there are many
            piece = low[at : at + _GATE_STEP + reach]
            for index, start, _ in search.find_matches_as_indexes(piece, overlapping=True):
                places.setdefault(words[index], set()).add((at + start) // WINDOW_UNIT)
        return places


def _windows(size: int, one: _Compiled, places: dict[bytes, set[int]] | set[int]) -> Windows:
    """Merged stretches of a text around the rule's keywords or gate; all of it for a rule without any.

    A stretch is the block of `window` bytes that holds the mark and the blocks beside it.
    """
    reach = one.rule.window
    if isinstance(places, set):
        reach = -(-reach // GATE_UNIT) * GATE_UNIT
        blocks = {at * GATE_UNIT // reach for at in places}
    elif one.keywords:
        blocks = {at * WINDOW_UNIT // reach for keyword in one.keywords for at in places.get(keyword, ())}
    else:
        return [(0, size)]
    merged: Windows = []
    for block in sorted(blocks):
        low, high = max(0, (block - 1) * reach), min(size, (block + 2) * reach)
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


@lru_cache(maxsize=64)
def _automaton(words: tuple[bytes, ...]) -> ahocorasick_rs.BytesAhoCorasick:
    """Finds all these words in one pass; the same few sets of rules come again and again."""
    return ahocorasick_rs.BytesAhoCorasick(words)


def _occurrences(text: bytes, word: bytes) -> set[int]:
    """The units of WINDOW_UNIT bytes in which the word begins."""
    found, at = set(), text.find(word)
    while at >= 0:
        unit = at // WINDOW_UNIT
        found.add(unit)
        at = text.find(word, (unit + 1) * WINDOW_UNIT)
    return found


def _gated(gate: Any, text: bytes) -> set[int]:
    """The units of GATE_UNIT bytes in which a match of the gate begins."""
    units: set[int] = set()
    match = gate.search(text)
    while match is not None:
        unit = match.start() // GATE_UNIT
        units.add(unit)
        match = gate.search(text, (unit + 1) * GATE_UNIT) if (unit + 1) * GATE_UNIT < len(text) else None
    return units


def _matches(one: _Compiled, text: bytes, low: int, high: int, deadline: Deadline) -> Iterator[Hit]:
    position = low
    refused = 0
    for count in range(len(text) + 1):
        if count % _CHECK_EVERY == 0:
            deadline.check()
        if refused > MAX_REFUSED:
            raise Withheld("match-limit")
        match = one.regex.search(text, position, high)
        if match is None:
            return
        reach = high - low
        while match.end() >= high and high < len(text):  # cut by the window: never mask half of a secret
            reach *= _WIDEN
            high = min(len(text), high + reach)
            match = one.regex.search(text, match.start(), high) or match
        hit = _hit(one, text, match)
        if hit is None and one.rule.retry:
            hit = _shorter(one, text, match)
        if hit is not None:
            yield hit
        refused += (hit is None) << one.rule.retry  # each is looked at twice
        position = max(match.start() + 1, hit.end if hit else 0 if one.rule.retry else match.end())


def _hit(one: _Compiled, text: bytes, match: Any) -> Hit | None:
    start, end = _secret(match, one.rule.group)
    if end > start and _holds(one, text, match, start, end):
        return Hit(one.rule, start, end)
    return None


def _shorter(one: _Compiled, text: bytes, match: Any) -> Hit | None:
    """The match without its last groups, if that holds: a card number with an expiry date behind it."""
    start, end = _secret(match, one.rule.group)
    in_front = IN_FRONT.get(one.rule.validators[0]) if one.rule.validators else None
    if in_front is not None:
        end = start + in_front(text[start:end])
        return Hit(one.rule, start, end) if _holds(one, text, match, start, end) else None
    while True:
        end = max(text.rfind(b" ", start, end), text.rfind(b"-", start, end))
        if end <= start:
            return None
        if _holds(one, text, match, start, end):
            return Hit(one.rule, start, end)


def _secret(match: Any, group: int) -> tuple[int, int]:
    """gitleaks' choice: the named group, else the first that holds something, else the whole match."""
    if group:
        start, end = match.span(group)
        return int(start), int(end)
    for number in range(1, match.re.groups + 1):
        start, end = match.span(number)
        if end > start:
            return int(start), int(end)
    return int(match.start()), int(match.end())


def _holds(one: _Compiled, text: bytes, match: Any, start: int, end: int) -> bool:
    secret = text[start:end]
    if one.rule.entropy and entropy(secret) <= one.rule.entropy:
        return False
    if not all(VALIDATORS[name](secret) for name in one.rule.validators):
        return False
    if _elsewhere(one, text, start, end):
        return False
    if not one.allows:
        return True
    line = _line(text, match.start(), match.end()) if any(allow.wants_line for allow in one.allows) else b""
    return not any(allow.allows(secret, text[match.start() : match.end()], line) for allow in one.allows)


def _elsewhere(one: _Compiled, text: bytes, start: int, end: int) -> bool:
    """Whether what stands around the secret says that it is none."""
    if one.rule.not_code and Program(text).is_bare_word(start, end):
        return True
    before = text[max(0, start - BEFORE) : start] if one.not_after else b""
    if any(regex.search(before) for regex in one.not_after):
        return True
    return bool(one.not_within) and _within(one.not_within, text, start, end)


def _within(patterns: Sequence[Any], text: bytes, start: int, end: int) -> bool:
    """Whether the secret is a part of something longer that one of the patterns knows."""
    low = max(0, start - AROUND)
    around = text[low : end + AROUND]
    longer = (found.span() for pattern in patterns for found in pattern.finditer(around))
    return any(
        low + first <= start and end <= low + last and last - first > end - start for first, last in longer
    )


def _line(text: bytes, start: int, end: int) -> bytes:
    """The line around a match, at most LINE_REACH bytes to either side."""
    low = max(0, start - LINE_REACH)
    high = min(len(text), end + LINE_REACH)
    newline = text.find(b"\n", end, high)
    return text[max(low, text.rfind(b"\n", low, start) + 1) : newline if newline >= 0 else high]
