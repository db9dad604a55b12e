"""`tacho rules`: what the masker looks for, and whether each rule does what it says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.settings import ConfigOption
from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.ruleset import Rule, Ruleset, load
from tachograph.processors.masking.samples import filled
from tachograph.processors.masking.scan import Scanner

app = typer.Typer(no_args_is_help=True, help="The masking rules: list, explain, test and try them.")
EXIT_BAD = 1
EXIT_WRONG_USE = 2
TEST_SECONDS = 60.0

Files = Annotated[
    list[Path] | None, typer.Option("--rules", help="A rule file in gitleaks' TOML layout; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that does not do what its own examples say."""

    rule: str
    file: str
    why: str


def failures(ruleset: Ruleset) -> Iterator[Failure]:
    """Every example that its rule misses and every counter-example that it takes."""
    for rule in ruleset.rules:
        scanner = Scanner(Ruleset((rule,), ruleset.allowlists))
        for index, template in enumerate(rule.examples, 1):
            if not _hits(scanner, filled(template)):
                yield Failure(rule.id, rule.origin, f"example {index} is not found")
        for index, template in enumerate(rule.counterexamples, 1):
            if _hits(scanner, filled(template)):
                yield Failure(rule.id, rule.origin, f"counter-example {index} is found")


def _hits(scanner: Scanner, text: str) -> bool:
    return bool(scanner.scan(text.encode(), Deadline.after(TEST_SECONDS)))


def _loaded(files: list[Path] | None) -> Ruleset:
    try:
        return load(files or ())
    except ConfigurationError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_WRONG_USE) from None


def _facts(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "type": rule.type,
        "description": rule.description,
        "keywords": list(rule.keywords),
        "entropy": rule.entropy,
        "validators": list(rule.validators),
        "priority": rule.priority,
        "tags": list(rule.tags),
        "file": rule.origin,
    }


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@app.command("list")
def list_rules(rules: Files = None, *, as_json: Json = False) -> None:
    """All rules in force, and those of your files that cannot be used, with the reason."""
    ruleset = _loaded(rules)
    refused = [{"id": one.rule, "reason": one.reason} for one in ruleset.refused]
    if as_json:
        _print_json(
            {"digest": ruleset.digest, "rules": [_facts(r) for r in ruleset.rules], "refused": refused}
        )
        return
    table = Table("rule", "type", "what it finds", "file")
    for rule in ruleset.rules:
        table.add_row(rule.id, rule.type, rule.description, Path(rule.origin).name)
    console = Console()
    console.print(table)
    console.print(f"{len(ruleset.rules)} rules, digest {ruleset.digest}")
    for one in ruleset.refused:
        console.print(f"not usable: {one.rule}: {one.reason}")


@app.command()
def explain(rule: str, rules: Files = None, *, as_json: Json = False) -> None:
    """One rule: what it finds, what must hold, and example texts (generated, no real values)."""
    found = next((r for r in _loaded(rules).rules if r.id == rule), None)
    if found is None:
        typer.echo(f"error: no rule {rule!r}; `tacho rules list` names them", err=True)
        raise typer.Exit(EXIT_WRONG_USE)
    facts = _facts(found) | {
        "regex": found.regex,
        "examples": [filled(text) for text in found.examples],
        "counterexamples": [filled(text) for text in found.counterexamples],
    }
    if as_json:
        _print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name:16} {', '.join(map(str, value)) if isinstance(value, list) else value}")


@app.command("test")
def run_tests(rules: Files = None, *, as_json: Json = False) -> None:
    """Run every rule over its own examples and counter-examples; exit code 1 if one fails."""
    ruleset = _loaded(rules)
    bad = list(failures(ruleset))
    if as_json:
        rows = [{"rule": one.rule, "file": one.file, "why": one.why} for one in bad]
        _print_json({"rules": len(ruleset.rules), "failures": rows})
    else:
        for one in bad:
            typer.echo(f"{one.file}: rule {one.rule!r}: {one.why}")
        typer.echo(f"{len(ruleset.rules)} rules, {len(bad)} failures")
    raise typer.Exit(EXIT_BAD if bad else 0)


@app.command()
def backtest(
    rules: Files = None,
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 2d.")] = "24h",
    config: ConfigOption = None,
    *,
    as_json: Json = False,
) -> None:
    """Run these rule files, in place of the configured ones, over the raw window; print counts, no values.

    Exit code 1 where they would leak what is masked today.
    """
    seconds = _seconds(since)
    told = settings.load(config)
    from tachograph.processors.backtest import backtest as run

    facts = run(told.configuration, base=told.base, rules=tuple(rules or ()), since_s=seconds).facts()
    if as_json:
        _print_json(facts)
    else:
        for name, value in facts.items():
            typer.echo(f"{name:20} {_counts(value)}")
    raise typer.Exit(EXIT_BAD if facts["newly_leaked"] or facts["no_longer_withheld"] else 0)


def _seconds(text: str) -> float:
    unit = {"m": 60, "h": 3600, "d": 86_400}.get(text[-1:])
    if unit is None or not text[:-1].isdigit():
        raise WrongUse(f"--since: expected a number and m, h or d, such as 24h, got {text!r}")
    return float(int(text[:-1]) * unit)


def _counts(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{rule} {count}" for rule, count in value.items()) or "nothing"
    return str(value)
