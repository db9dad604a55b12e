"""The masker: the parts of one exchange record in, the same parts without secrets out. Pure, and it never
raises.

For each part: undo content coding, choose how to read it, look at every layer by name and by pattern. Then,
over all parts together: what is secret in one place is masked in every place. Then write, check, and give
back; a part for which any step fails is withheld with a reason.
"""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain

from tachograph.processors.masking import headers, layers, paths, streams
from tachograph.processors.masking.carried import NOTHING, Carried, Masked, Secret, carried
from tachograph.processors.masking.content import as_text, decompressed, legible, media_type
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import DEFAULT_FIELDS, Field, FieldRules, shown_name
from tachograph.processors.masking.findings import (
    FIELD_PRIORITY,
    KNOWN_PRIORITY,
    Finding,
    merged,
)
from tachograph.processors.masking.limits import Clock, Deadline, Limits
from tachograph.processors.masking.named import NamedValues
from tachograph.processors.masking.parts import MaskedPart, Part, PartKind, Removed, Span
from tachograph.processors.masking.prefilter import best_prefilter
from tachograph.processors.masking.propagate import Haystack, Needle, components, haystacks, needles
from tachograph.processors.masking.pseudonyms import PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset
from tachograph.processors.masking.scan import Scanner
from tachograph.processors.masking.splice import Shape, spliced
from tachograph.processors.masking.views import ContentView, DecodedView, JoinedView, Range, View
from tachograph.processors.masking.wellformed import is_json

__all__ = ["DEFAULT_FIELDS", "FieldRules", "MaskedPart", "Masker", "Part", "PartKind", "PseudonymKey", "Span"]

_KNOWN = "known-secret"


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a content: a view, whether its backslashes are JSON's, whether it is a form; its
    media type."""

    view: View
    escaped: bool = False
    form: bool = False
    kind: str = ""


@dataclass(slots=True)
class _Work:
    """A part on its way."""

    part: Part
    content: bytes = b""
    shape: Shape = "plain"
    readings: Sequence[_Reading] = ()
    views: list[View] = field(default_factory=list)
    """Every layer of every reading; empty where they are too large to keep."""
    findings: dict[Finding, None] = field(default_factory=dict)
    """In order, each once: what is found in one layer is found in the next again."""
    values: dict[bytes, bytes] = field(default_factory=dict)
    """Each value once, however often it is found."""
    value_bytes: int = 0
    withheld: str | None = None
    legible: bytes = b""
    """What can be read in content that is no text."""

    def add(self, findings: Iterable[Finding], limits: Limits) -> None:
        for finding in findings:
            value = self.values.setdefault(finding.value, finding.value)
            if value is finding.value:
                self.value_bytes += len(value)
            else:
                finding = replace(finding, value=value)  # noqa: PLW2901  the same, without its own copy
            self.findings[finding] = None
            if len(self.findings) > limits.spans or self.value_bytes > limits.value_bytes:
                raise Withheld("span-limit")

    def drop(self) -> None:
        """Let go of everything that only finding needs."""
        self.readings, self.views, self.values = (), [], {}


class Masker:
    """Masks records under one rule set, one pseudonym key and one connection's field rules."""

    def __init__(  # noqa: PLR0913  the two last are for tests and benches
        self,
        ruleset: Ruleset,
        pseudonyms: PseudonymKey,
        *,
        connection_rules: FieldRules | None = None,
        known_secrets: Sequence[bytes] = (),
        limits: Limits | None = None,
        clock: Clock = time.monotonic,
        prefilter: bool = True,
    ) -> None:
        """`known_secrets` (the registry's credentials, canaries) are masked always and may never survive.

        `prefilter=False` takes the mandatory path even where Hyperscan is installed; the result is the same.
        """
        self._ruleset = ruleset
        self._key = pseudonyms
        self._fields = DEFAULT_FIELDS.with_more(connection_rules)
        self._named = NamedValues(self._fields, strict=ruleset.strict)
        self._scanner = _scanner(ruleset, prefilter=prefilter)
        self._limits = limits or Limits()
        self._clock = clock
        self._registered = frozenset(known_secrets)
        self._known = list(_known_needles(self._registered))
        self._leaks = Haystack(self._known, Limits(needles=len(self._known)))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of rules, field rules and engine version: what a record was masked by."""
        facts = {"rules": self._ruleset.digest, "fields": asdict(self._fields)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def mask(self, parts: Sequence[Part]) -> tuple[MaskedPart, ...]:
        """The parts masked, in order; what cannot be masked with certainty is withheld. Never raises."""
        return self.mask_with(parts, NOTHING).parts

    def mask_with(self, parts: Sequence[Part], known: Carried) -> Masked:
        """The same, also by what another record of the exchange found; and what was found in this one."""
        deadline = Deadline.after(self._limits.seconds, self._clock)
        works = [_Work(part) for part in parts]
        if len(works) > self._limits.parts:
            return Masked(tuple(MaskedPart(part.name, None, "parts-limit", 0, ()) for part in parts))
        for work in works:
            self._guarded(work, self._detect, deadline)
            self._glean(work, deadline)
        found = _distinct(works)
        injected = list(_known_needles(set(known.injected) - self._registered))
        self._propagate(works, injected, [*found, *known.secrets], deadline)
        leaks = [self._leaks] if self._known else []
        if injected:
            leaks.append(Haystack(injected, Limits(needles=len(injected))))
        removed: dict[Removed, None] = {}
        finished = tuple(self._finished(work, leaks, removed) for work in works)
        return Masked(finished, carried(found), tuple(removed))

    def _guarded(self, work: _Work, step: Callable[[_Work, Deadline], None], deadline: Deadline) -> None:
        """Run one step of one part; whatever goes wrong withholds the part and nothing else."""
        if work.withheld:
            return
        try:
            step(work, deadline)
        except Withheld as refusal:
            work.withheld = refusal.reason
        except MemoryError:
            work.withheld = "memory"
        except Exception:  # noqa: BLE001  fail closed: an unknown failure must not let content through
            work.withheld = "error"
        if work.withheld:
            work.drop()
            work.findings = {}

    def _detect(self, work: _Work, deadline: Deadline) -> None:
        work.readings, fields = self._read(work, deadline)
        whole = ContentView(work.content)
        if work.part.kind != "headers":
            fields = [*fields, *self._at_paths(work)]
        work.add(self._field_findings(work, whole, fields), self._limits)
        for reading in work.readings:
            for depth, view in enumerate(layers.layers(reading.view, self._limits, deadline)):
                work.views.append(view)
                inside = depth == 0 and reading.escaped and b"\\" in view.text
                work.add(self._named_findings(work, view, reading, inside=inside), self._limits)
                if self._named.paths and (depth or isinstance(reading.view, JoinedView)):
                    found = paths.find_arguments(
                        view.text, self._named.paths, whole=reading.view is not whole
                    )
                    work.add(self._field_findings(work, view, found), self._limits)
                if not inside:
                    work.add(self._rule_findings(view, deadline), self._limits)
        if any(isinstance(view, DecodedView) and view.forgotten for view in work.views):
            work.views = []

    def _glean(self, work: _Work, deadline: Deadline) -> None:
        """What is secret in content that is no text: it stays withheld, but other parts may repeat it."""
        if work.legible:
            text, work.legible = work.legible, b""
            inside = _Work(Part(work.part.name, "text", text))
            self._guarded(inside, self._detect, deadline)
            work.findings, work.withheld = inside.findings, inside.withheld or work.withheld

    def _at_paths(self, work: _Work) -> Iterator[Field]:
        """What the connection's paths name in the document, or in each line or event of a stream."""
        if self._named.paths and work.shape == "json":
            yield from paths.find(work.content, self._named.paths)
        elif self._named.paths and work.shape == "lines":
            yield from paths.find_lines(work.content, self._named.paths)

    def _views(self, work: _Work, deadline: Deadline) -> Iterator[View]:
        """Every layer of every reading again."""
        if work.views:
            yield from work.views
        else:
            for reading in work.readings:
                yield from layers.layers(reading.view, self._limits, deadline)

    def _read(self, work: _Work, deadline: Deadline) -> tuple[list[_Reading], Sequence[Field]]:
        """Fill in content and shape; the readings to look at and what is secret by header name."""
        part = work.part
        if part.kind == "headers":
            parsed = headers.parse(part.data, self._named)
            work.content, work.shape = parsed.data, "json"
            return [_Reading(JoinedView(parsed.data, parsed.lines), escaped=True)], parsed.fields
        data = decompressed(part.data, part.content_encoding if part.kind == "body" else None, self._limits)
        kind = part.content_type if part.kind == "body" else "text/plain"
        try:
            work.content = text = as_text(data, kind, self._limits)
        except Withheld as refusal:
            work.legible = legible(data) if refusal.reason == "binary" else b""
            raise
        whole = ContentView(text)
        if part.kind == "url":
            return [_Reading(whole, form=True)], ()
        if text.lstrip()[:1] in (b"{", b"[", b'"') and is_json(text, deadline):
            work.shape = "json"
            return [_Reading(whole, escaped=True)], ()
        if streams.is_event_stream(part.content_type, text) or streams.is_lines(part.content_type, text):
            work.shape = "lines"
            pieces = [_Reading(view, escaped=True) for view in streams.joined(text)]
            return [_Reading(whole, escaped=True), *pieces], ()
        kind = media_type(part.content_type)
        return [_Reading(whole, form=kind == "application/x-www-form-urlencoded", kind=kind)], ()

    @staticmethod
    def _field_findings(work: _Work, view: View, fields: Iterable[Field]) -> Iterator[Finding]:
        """Each as it may be read: `%69` is an `i` in a URL, and itself in a JSON string."""
        for found in fields:
            raw = view.text[found.start : found.end]
            quote = b""
            if found.quote_at >= 0:  # written as deep as the number lies: " or \\" or more
                quote = b"".join(
                    work.content[a:b] for a, b in view.to_content(found.quote_at, found.quote_at + 1)
                )
            ranges = tuple(view.to_content(found.start, found.end))
            rule = f"field:{shown_name(found.name)}"
            for value in dict.fromkeys((layers.plain(raw), layers.unescaped(raw))):
                yield Finding(rule, found.type, FIELD_PRIORITY, ranges, value, quote)

    def _named_findings(
        self, work: _Work, view: View, reading: _Reading, *, inside: bool
    ) -> Iterator[Finding]:
        fields = self._named.find(view.text, form=reading.form, kind=reading.kind, inside=inside)
        return self._field_findings(work, view, fields)

    def _rule_findings(self, view: View, deadline: Deadline) -> Iterator[Finding]:
        for hit in self._scanner.scan(view.text, deadline):
            start, end = _snapped(view.text, hit.start, hit.end)
            ranges = tuple(view.to_content(start, end))
            if ranges:
                value = view.text[start:end]
                yield Finding(hit.rule.id, hit.rule.type, hit.rule.priority, ranges, value)

    def _propagate(
        self,
        works: Sequence[_Work],
        injected: Sequence[Needle],
        found: Sequence[Finding | Secret],
        deadline: Deadline,
    ) -> None:
        wanted = chain(self._known, injected, chain.from_iterable(map(_needles_of, found)))
        try:
            for haystack in haystacks(wanted, self._limits):
                for work in works:
                    self._guarded(work, partial(self._look_for, haystack), deadline)
        except Withheld as refusal:
            for work in works:
                work.withheld = work.withheld or refusal.reason

    def _look_for(self, haystack: Haystack, work: _Work, deadline: Deadline) -> None:
        for view in self._views(work, deadline):
            deadline.check()
            work.add(_again(haystack, view), self._limits)

    def _finished(self, work: _Work, leaks: Sequence[Haystack], removed: dict[Removed, None]) -> MaskedPart:
        """The part as it goes out; what was taken out of it is added to `removed`."""
        result: list[MaskedPart] = []

        def step(work: _Work, _: Deadline) -> None:
            work.drop()
            patches, spans, gone = merged(tuple(work.findings), self._key)
            work.findings = {}
            data = spliced(work.content, patches, work.shape)
            if data is None:
                raise Withheld("shape")
            if any(True for haystack in leaks for _ in haystack.find(data)):
                raise Withheld(_KNOWN)
            removed.update(gone)
            result.append(MaskedPart(work.part.name, data, None, len(work.content), tuple(spans)))

        self._guarded(work, step, Deadline.after(self._limits.seconds, self._clock))
        if result and not work.withheld:
            return result[0]
        return MaskedPart(work.part.name, None, work.withheld or "error", len(work.content), ())


def _again(haystack: Haystack, view: View) -> Iterator[Finding]:
    """Every place of every value in one view."""
    for needle, start, end in haystack.find(view.text):
        ranges = tuple(view.to_content(start, end))
        yield Finding(needle.rule, needle.type, needle.priority, ranges, needle.shown)


def _distinct(works: Sequence[_Work]) -> list[Finding]:
    """The best finding of each value."""
    best: dict[bytes, Finding] = {}
    for finding in (one for work in works for one in work.findings):
        other = best.get(finding.value)
        if other is None or (finding.priority, finding.type, finding.rule) > (
            other.priority,
            other.type,
            other.rule,
        ):
            best[finding.value] = finding
    return list(best.values())


@lru_cache(maxsize=4)
def _scanner(ruleset: Ruleset, *, prefilter: bool) -> Scanner:
    """Compiling takes seconds and depends on nothing else, so the maskers of all connections share one.

    Not for use by several threads at once: Hyperscan's scratch space is one per database.
    """
    return Scanner(ruleset, best_prefilter(ruleset.rules) if prefilter else None)


def _snapped(text: bytes, start: int, end: int) -> Range:
    """The range without half an escape at either end: `abc\\` before a quote, `nabc` after a backslash."""
    if end < len(text) and text[end] in b"\"'\\" and _backslashes(text, end) % 2 and end - 1 > start:
        end -= 1
    if start > 0 and _backslashes(text, start) % 2:
        start -= 1
    return start, end


def _backslashes(text: bytes, before: int) -> int:
    at = before
    while at > 0 and text[at - 1] == 0x5C:
        at -= 1
    return before - at


def _known_needles(values: Iterable[bytes]) -> Iterator[Needle]:
    """Every spelling of credentials that are masked always."""
    for value in sorted(set(values)):
        if value:
            yield from needles(_KNOWN, "CREDENTIAL", value, always=True, priority=KNOWN_PRIORITY)


def _needles_of(finding: Finding | Secret) -> Iterator[Needle]:
    """The finding's value, its parts, and the password inside Basic credentials."""
    for value in (finding.value, *components(finding.value)):
        yield from needles(finding.rule, finding.type, value, priority=finding.priority)
    if finding.type in ("AUTHORIZATION", "BASIC_AUTH"):
        try:
            plain = base64.b64decode(finding.value, validate=True)
        except (binascii.Error, ValueError):
            return
        if b":" in plain:
            yield from needles(finding.rule, "PASSWORD", plain.split(b":", 1)[1], priority=finding.priority)
