"""A rule set: gitleaks' TOML layout read into rules that re2 can run, with one digest over all that matters.

Beside gitleaks' own fields a rule may carry `type` (the marker's name), `priority` (who names an overlap),
`validators`, `not_after` (what must not stand before the secret), `not_within` (what the secret must not be
a part of), `window` (bytes looked at around a keyword), `gate` (see `gates`), `retry`, `examples` and
`counterexamples`; gitleaks ignores what it does not know, so both tools read the same file. Nothing is
skipped silently: what cannot be used is listed in `Ruleset.refused` or raises.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import re2

from tachograph.processors.masking.errors import RuleError
from tachograph.processors.masking.gates import GATES
from tachograph.processors.masking.validators import VALIDATORS

ENGINE_VERSION = "3"
"""Part of every digest: raise it when the same rules would give other spans."""
DEFAULT_WINDOW = 1024
WINDOW_UNIT = 128
"""Windows are multiples of this many bytes; others are rounded up."""
DEFAULT_PRIORITY = 50
STRICT = "strict"
"""The tag of rules for what only looks like a secret."""
OPERATOR_PRIORITY = 70
MAX_REGEX_BYTES = 16 * 1024
RE2_MEMORY = 64 * 1024 * 1024

_options = re2.Options()
_options.max_mem = RE2_MEMORY
_options.log_errors = False


@dataclass(frozen=True, slots=True)
class Allowlist:
    """When a match is no finding. All kinds given must agree with `condition` AND, any with OR."""

    regexes: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    target: str = "secret"
    condition: str = "OR"
    unknowable: bool = False
    """It also asks for a path or a commit, which a wire record does not have."""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern and what must hold for a match of it to be masked."""

    id: str
    description: str
    regex: str
    type: str
    group: int = 0
    keywords: tuple[str, ...] = ()
    entropy: float = 0.0
    validators: tuple[str, ...] = ()
    allowlists: tuple[Allowlist, ...] = ()
    not_after: tuple[str, ...] = ()
    """Patterns for the text before the secret (see `scan.BEFORE`): where one matches, the secret is none."""
    not_within: tuple[str, ...] = ()
    """Patterns for something longer: a secret that lies inside one of their matches is none."""
    window: int = DEFAULT_WINDOW
    priority: int = DEFAULT_PRIORITY
    retry: bool = False
    not_code: bool = False
    """Letters without quotes in a program's source are none: a variable, a keyword, a call."""
    gate: str = ""
    tags: tuple[str, ...] = ()
    examples: tuple[str, ...] = field(default=(), compare=False)
    counterexamples: tuple[str, ...] = field(default=(), compare=False)
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that cannot run here, and why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules in a fixed order, the allow-lists for all of them, and what was refused."""

    rules: tuple[Rule, ...]
    allowlists: tuple[Allowlist, ...] = ()
    refused: tuple[Refused, ...] = ()
    strict: bool = True
    """Whether what only looks like a secret, and any value assigned to a secret's name, is one."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that decides what is masked, examples and texts for humans left out."""
        facts: dict[str, Any] = {"engine": ENGINE_VERSION, "allowlists": [asdict(a) for a in self.allowlists]}
        told = ("description", "examples", "counterexamples", "origin", "tags")
        facts["strict"] = self.strict
        facts["rules"] = [{k: v for k, v in asdict(r).items() if k not in told} for r in self.rules]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def compiled(pattern: str) -> Any:
    """The pattern over bytes: offsets are bytes, \\w is ASCII, matching is linear in the text."""
    return re2.compile(pattern.encode(), _options)


@dataclass(frozen=True, slots=True)
class _Source:
    """A rule file's text and name, to say where something is wrong."""

    name: str
    text: str

    def error(self, message: str, rule: str = "") -> RuleError:
        of_rule = re.compile(rf"\s*id\s*=\s*['\"]+{re.escape(rule)}['\"]") if rule else re.compile("(?!)")
        line = next((i for i, text in enumerate(self.text.splitlines(), 1) if of_rule.match(text)), 1)
        return RuleError(message, file=self.name, line=line, rule=rule)


def parse(text: str, name: str = "<rules>", *, priority: int = OPERATOR_PRIORITY) -> Ruleset:
    """The rule set of one TOML text; RuleError names file, line and rule of what is wrong."""
    source = _Source(name, text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise RuleError(
            f"expected TOML, got {error}", file=name, line=int(found[1]) if found else 1
        ) from None
    rules: list[Rule] = []
    refused: list[Refused] = []
    for entry in _tables(document, "rules", source):
        parsed = _rule(entry, source, priority)
        if isinstance(parsed, Rule):
            rules.append(parsed)
        else:
            refused.append(parsed)
    return Ruleset(tuple(rules), _allowlists(document, source, ""), tuple(refused))


def _tables(holder: dict[str, Any], key: str, source: _Source, rule: str = "") -> list[dict[str, Any]]:
    value = holder.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise source.error(
            f"{key}: expected an array of tables ([[{key}]]), got {type(value).__name__}", rule
        )
    return value


def _strings(holder: dict[str, Any], key: str, source: _Source, rule: str) -> tuple[str, ...]:
    value = holder.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise source.error(f"{key}: expected a list of strings, got {value!r}", rule)
    return tuple(value)


def _typed(holder: dict[str, Any], key: str, default: Any, source: _Source, rule: str) -> Any:
    value = holder.get(key, default)
    wanted = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise source.error(f"{key}: expected {type(default).__name__}, got {type(value).__name__}", rule)
    return value


def _flag(holder: dict[str, Any], key: str, source: _Source, rule: str) -> bool:
    value = holder.get(key, False)
    if not isinstance(value, bool):
        raise source.error(f"{key}: expected true or false, got {value!r}", rule)
    return value


def _gate(holder: dict[str, Any], source: _Source, rule: str) -> str:
    gate: str = _typed(holder, "gate", "", source, rule)
    if gate and gate not in GATES:
        raise source.error(f"gate: expected one of {', '.join(GATES)}, got {gate!r}", rule)
    return gate


def _checked_regex(pattern: str, source: _Source, rule: str) -> Any:
    if len(pattern) > MAX_REGEX_BYTES:
        raise source.error(f"regex: expected at most {MAX_REGEX_BYTES} bytes, got {len(pattern)}", rule)
    try:
        return compiled(pattern)
    except re2.error as error:
        why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise source.error(f"regex: expected RE2 syntax, got an error: {why}", rule) from None


def _allowlists(holder: dict[str, Any], source: _Source, rule: str) -> tuple[Allowlist, ...]:
    tables = _tables(holder, "allowlists", source, rule)
    single = holder.get("allowlist")
    if isinstance(single, dict):
        tables = [*tables, single]
    elif single is not None:
        raise source.error(f"allowlist: expected a table, got {type(single).__name__}", rule)
    return tuple(_allowlist(table, source, rule) for table in tables)


def _patterns(holder: dict[str, Any], key: str, source: _Source, rule: str) -> tuple[str, ...]:
    patterns = _strings(holder, key, source, rule)
    for pattern in patterns:
        _checked_regex(pattern, source, rule)
    return patterns


def _allowlist(table: dict[str, Any], source: _Source, rule: str) -> Allowlist:
    regexes = _patterns(table, "regexes", source, rule)
    target = _typed(table, "regexTarget", "secret", source, rule) or "secret"
    if target not in ("secret", "match", "line"):
        raise source.error(f'regexTarget: expected "secret", "match" or "line", got {target!r}', rule)
    condition = _typed(table, "condition", "OR", source, rule).upper()
    condition = {"&&": "AND", "||": "OR"}.get(condition, condition)
    if condition not in ("AND", "OR"):
        raise source.error(f'condition: expected "AND" or "OR", got {condition!r}', rule)
    unknowable = bool(table.get("paths") or table.get("commits"))
    words = tuple(word.lower() for word in _strings(table, "stopwords", source, rule))
    only = _strings(table, "targetRules", source, rule)
    return Allowlist(regexes, words, target, condition, unknowable, only)


def _rule(entry: dict[str, Any], source: _Source, priority: int) -> Rule | Refused:
    name = _typed(entry, "id", "", source, "")
    if not name:
        raise source.error("expected every rule to have an id, got one without")
    if "regex" not in entry:
        if entry.get("path"):
            return Refused(name, "it matches file paths only; a wire record has none")
        raise source.error("expected a regex, got none", name)
    pattern = _typed(entry, "regex", "", source, name)
    groups = _checked_regex(pattern, source, name).groups
    group = _typed(entry, "secretGroup", 0, source, name)
    if not 0 <= group <= groups:
        raise source.error(f"secretGroup: expected 0 to {groups}, got {group}", name)
    validators = _strings(entry, "validators", source, name)
    for unknown in set(validators) - VALIDATORS.keys():
        raise source.error(f"validators: expected one of {', '.join(VALIDATORS)}, got {unknown!r}", name)
    return Rule(
        id=name,
        description=_typed(entry, "description", "", source, name),
        regex=pattern,
        type=_typed(entry, "type", re.sub(r"[^A-Z0-9]+", "_", name.upper()), source, name),
        group=group,
        keywords=tuple(sorted({k.lower() for k in _strings(entry, "keywords", source, name) if k})),
        entropy=float(_typed(entry, "entropy", 0.0, source, name)),
        validators=validators,
        allowlists=_allowlists(entry, source, name),
        not_after=_patterns(entry, "not_after", source, name),
        not_within=_patterns(entry, "not_within", source, name),
        window=-(-max(1, _typed(entry, "window", DEFAULT_WINDOW, source, name)) // WINDOW_UNIT) * WINDOW_UNIT,
        priority=_typed(entry, "priority", priority, source, name),
        retry=_flag(entry, "retry", source, name),
        not_code=_flag(entry, "not_code", source, name),
        gate=_gate(entry, source, name),
        tags=_strings(entry, "tags", source, name),
        examples=_strings(entry, "examples", source, name),
        counterexamples=_strings(entry, "counterexamples", source, name),
        origin=source.name,
    )


def merged(sets: Sequence[Ruleset]) -> Ruleset:
    """One set of all; a later rule takes the place of an earlier one of the same id."""
    rules: dict[str, Rule] = {}
    for one in sets:
        for rule in one.rules:
            rules[rule.id] = rule
    allow = tuple(a for one in sets for a in one.allowlists)
    return Ruleset(tuple(rules.values()), allow, tuple(r for one in sets for r in one.refused))


def own_rules() -> Ruleset:
    """The rule pack that comes with Tachograph."""
    folder = resources.files("tachograph.processors.masking") / "rules"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return merged([parse(f.read_text("utf-8"), f.name, priority=DEFAULT_PRIORITY) for f in files])


def load(
    files: Sequence[Path] = (),
    *,
    texts: Sequence[tuple[str, str]] = (),
    own: bool = True,
    strict: bool = True,
) -> Ruleset:
    """The own pack and the operator's files on top; a file's global allow-lists hold for its own rules only.

    `texts` are further files that are read already: their names and what they hold.

    `strict` keeps the rules for what only looks like a secret, which the processors always want.
    """
    sets = [own_rules()] if own else []
    if not strict:
        sets = [replace(one, rules=tuple(r for r in one.rules if STRICT not in r.tags)) for one in sets]
    for path in files:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RuleError(f"expected a readable TOML file, got {error}", file=str(path), line=1) from None
        sets.append(_confined(parse(text, str(path))))
    sets.extend(_confined(parse(text, name)) for name, text in texts)
    return replace(merged(sets), strict=strict)


def _confined(ruleset: Ruleset) -> Ruleset:
    ids = tuple(rule.id for rule in ruleset.rules)
    return replace(
        ruleset, allowlists=tuple(a if a.rules else replace(a, rules=ids) for a in ruleset.allowlists)
    )
